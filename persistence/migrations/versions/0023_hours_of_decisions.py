"""Add figures of decisions by hour.

New tables, filled in the background; nothing of them is written with a decision. The release before
does not know them.
"""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

SERVICE = "sentinel_service"
OF_THIS_TRANSACTION = """tenant_id = ANY ((SELECT string_to_array(
    nullif(current_setting('sentinel.tenant_ids', true), ''), ','))::bigint[])"""

TABLES = ("decision_hours", "category_hours", "hour_counting")


def _of_tenant() -> sa.Column[int]:
    return sa.Column("tenant_id", sa.BigInteger(), nullable=False)


def _hour() -> sa.Column[datetime]:
    return sa.Column(
        "hour", sa.DateTime(timezone=True), nullable=False, comment="start of the hour, UTC"
    )


def _counts(name: str, comment: str | None = None) -> sa.Column[list[int]]:
    return sa.Column(name, postgresql.ARRAY(sa.Integer()), nullable=False, comment=comment)


def _money(name: str) -> sa.Column[list[float]]:
    return sa.Column(name, postgresql.ARRAY(sa.Double()), nullable=False, comment="money")


def _to_tenants(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["tenant_id"], ["tenants.id"], name=op.f(f"fk_{table}_tenant_id_tenants")
    )


def upgrade() -> None:
    op.create_table(
        "decision_hours",
        _of_tenant(),
        _hour(),
        _counts("decisions"),
        _money("amounts"),
        _counts("frauds", "labelled as fraud"),
        _money("fraud_amounts"),
        _counts("honest", "labelled as legitimate"),
        _counts("settled", "decided by an analyst"),
        _money("settled_amounts"),
        _counts("scores", "decisions by bin of score"),
        _counts("latencies", "decisions by bin of latency"),
        _to_tenants("decision_hours"),
        sa.PrimaryKeyConstraint("tenant_id", "hour", name=op.f("pk_decision_hours")),
    )
    op.create_table(
        "category_hours",
        _of_tenant(),
        _hour(),
        sa.Column("field", sa.Text(), nullable=False),
        sa.Column(
            "is_rest",
            sa.Boolean(),
            nullable=False,
            comment="all values that are not counted apart",
        ),
        sa.Column("value", sa.Text(), nullable=False, comment="empty for the rest"),
        sa.Column("decisions", sa.Integer(), nullable=False),
        sa.Column("flagged", sa.Integer(), nullable=False, comment="reviewed or declined"),
        sa.Column("amount", sa.Double(), nullable=False, comment="money"),
        _to_tenants("category_hours"),
        sa.PrimaryKeyConstraint(
            "tenant_id", "hour", "field", "is_rest", "value", name=op.f("pk_category_hours")
        ),
    )
    op.create_table(
        "hour_counting",
        _of_tenant(),
        sa.Column(
            "decided_until",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="decisions before are counted",
        ),
        sa.Column(
            "labels_until",
            sa.BigInteger(),
            server_default=sa.text("0"),
            nullable=False,
            comment="id of the last label that is counted",
        ),
        sa.Column(
            "category_values",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'"),
            nullable=False,
            comment="values that are counted apart, by field",
        ),
        _to_tenants("hour_counting"),
        sa.PrimaryKeyConstraint("tenant_id", name=op.f("pk_hour_counting")),
    )
    for table in TABLES:
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY of_tenant ON {table} USING ({OF_THIS_TRANSACTION})")
        op.execute(f"GRANT SELECT, INSERT, UPDATE ON {table} TO {SERVICE}")


def downgrade() -> None:
    for table in reversed(TABLES):
        op.drop_table(table)
