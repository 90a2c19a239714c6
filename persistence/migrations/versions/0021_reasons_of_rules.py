"""Add the reason of a version of a rule, which whoever switches a rule in the console gives.

The column is empty, so no row is rewritten; a process of the release before does not know it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "rules",
        sa.Column("reason", sa.Text(), nullable=True, comment="why; null: nobody gave one"),
    )


def downgrade() -> None:
    op.drop_column("rules", "reason")
