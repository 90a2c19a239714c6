"""Add what a tenant chooses for the time without Postgres, and what a journalled decision has.

The new columns are empty or have constant defaults, so no row is rewritten. The release before
neither reads nor writes them.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "tenants",
        sa.Column(
            "journal",
            sa.Boolean(),
            server_default=sa.false(),
            nullable=False,
            comment="decisions go to a journal while Postgres is away",
        ),
    )
    op.add_column(
        "predictions",
        sa.Column(
            "unread_windows",
            postgresql.JSONB(),
            nullable=True,
            comment="windows that could not be read, and were missing; null: all were read",
        ),
    )
    op.add_column(
        "predictions",
        sa.Column(
            "drained_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="when it came from the journal of a process; null: stored before its reply",
        ),
    )


def downgrade() -> None:
    op.drop_column("predictions", "drained_at")
    op.drop_column("predictions", "unread_windows")
    op.drop_column("tenants", "journal")
