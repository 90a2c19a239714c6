"""Add the times at which scheduled jobs and backups last ended well."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "job_runs",
        sa.Column("job", sa.Text(), nullable=False, comment="such as maintenance"),
        sa.Column(
            "succeeded_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="end of the last run without an error",
        ),
        sa.PrimaryKeyConstraint("job", name=op.f("pk_job_runs")),
    )
    # The jobs write it as the owner. It has no rows of tenants.
    op.execute("GRANT SELECT ON job_runs TO sentinel_service")


def downgrade() -> None:
    op.drop_table("job_runs")
