"""Add the usual values of a model version, with which reasons compare an amount."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "model_versions",
        sa.Column(
            "usual",
            postgresql.JSONB(),
            nullable=True,
            comment="medians of the payments of the training by feature name",
        ),
    )


def downgrade() -> None:
    op.drop_column("model_versions", "usual")
