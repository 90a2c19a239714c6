"""Add sums of the probabilities of fraud by hour, from which performance is estimated.

A new table, filled in the background from the decisions that are stored; nothing of it is written
with a decision. The release before does not know it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0029"
down_revision = "0025"
branch_labels = None
depends_on = None

SERVICE = "sentinel_service"
OF_THIS_TRANSACTION = """tenant_id = ANY ((SELECT string_to_array(
    nullif(current_setting('sentinel.tenant_ids', true), ''), ','))::bigint[])"""


def _sums(name: str, comment: str) -> sa.Column[list[float]]:
    return sa.Column(name, postgresql.ARRAY(sa.Double()), nullable=False, comment=comment)


def upgrade() -> None:
    op.create_table(
        "expected_hours",
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column(
            "hour", sa.DateTime(timezone=True), nullable=False, comment="start of the hour, UTC"
        ),
        _sums("frauds", "sum of p"),
        _sums("fraud_amounts", "sum of p a"),
        _sums("variances", "sum of p (1 - p)"),
        _sums("variance_amounts", "sum of p (1 - p) a"),
        _sums("variance_squares", "sum of p (1 - p) a squared"),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("fk_expected_hours_tenant_id_tenants")
        ),
        sa.PrimaryKeyConstraint("tenant_id", "hour", name=op.f("pk_expected_hours")),
    )
    op.add_column(
        "hour_counting",
        sa.Column(
            "expected_until",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="decisions before are in expected_hours; null: none is",
        ),
    )
    op.execute("ALTER TABLE expected_hours ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE expected_hours FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY of_tenant ON expected_hours USING ({OF_THIS_TRANSACTION})")
    op.execute(f"GRANT SELECT, INSERT, UPDATE ON expected_hours TO {SERVICE}")


def downgrade() -> None:
    op.drop_column("hour_counting", "expected_until")
    op.drop_table("expected_hours")
