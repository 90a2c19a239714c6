"""Add the reason of a policy, in the words of the person who set it.

A column without a default, so no row is rewritten. The release before neither reads nor writes it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "policies", sa.Column("reason", sa.Text(), nullable=True, comment="in the person's words")
    )


def downgrade() -> None:
    op.drop_column("policies", "reason")
