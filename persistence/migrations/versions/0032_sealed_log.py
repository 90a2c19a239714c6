"""Add the sealed log: leaves, nodes, heads, and statements of what expired.

The tables are new, and only the tables' owner writes them; the release before neither reads nor
writes them. They have no audit triggers: each entry of the audit log is itself sealed.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None

SERVICE = "sentinel_service"
TABLES = ("seal_leaves", "seal_nodes", "seal_heads", "seal_expiries")
OF_THIS_TRANSACTION = """tenant_id = ANY ((SELECT string_to_array(
    nullif(current_setting('sentinel.tenant_ids', true), ''), ','))::bigint[])"""


def upgrade() -> None:
    op.create_table(
        "seal_leaves",
        sa.Column("tenant_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column(
            "position",
            sa.BigInteger(),
            autoincrement=False,
            nullable=False,
            comment="0, 1, 2 ... in the tenant",
        ),
        sa.Column("kind", sa.Text(), nullable=False, comment="such as decision"),
        sa.Column(
            "form", sa.SmallInteger(), nullable=False, comment="list of columns that was sealed"
        ),
        sa.Column(
            "key", sa.Text(collation="C"), nullable=False, comment="key of the row in its kind"
        ),
        sa.Column(
            "commitment",
            sa.LargeBinary(),
            nullable=False,
            comment="SHA-256 over those to the fields",
        ),
        sa.Column("salt", sa.LargeBinary(), nullable=True, comment="null: the row has expired"),
        sa.PrimaryKeyConstraint("tenant_id", "position", name=op.f("pk_seal_leaves")),
    )
    op.create_index("uq_seal_leaves_key", "seal_leaves", ["tenant_id", "kind", "key"], unique=True)
    op.create_table(
        "seal_nodes",
        sa.Column("tenant_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("height", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column(
            "index",
            sa.BigInteger(),
            autoincrement=False,
            nullable=False,
            comment="0, 1, 2 ... in its height",
        ),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "height", "index", name=op.f("pk_seal_nodes")),
    )
    op.create_table(
        "seal_heads",
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column(
            "size",
            sa.BigInteger(),
            autoincrement=False,
            nullable=False,
            comment="number of leaves",
        ),
        sa.Column("note", sa.Text(), nullable=False, comment="signed note (C2SP tlog-checkpoint)"),
        sa.Column("signed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("fk_seal_heads_tenant_id_tenants")
        ),
        sa.PrimaryKeyConstraint("tenant_id", "size", name=op.f("pk_seal_heads")),
    )
    op.create_table(
        "seal_expiries",
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("month", sa.Text(), nullable=False, comment="such as 2026-01, UTC"),
        sa.Column(
            "retain_months",
            sa.Integer(),
            nullable=False,
            comment="whole months before that of the run that were kept",
        ),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column(
            "at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("fk_seal_expiries_tenant_id_tenants")
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_seal_expiries")),
        sa.UniqueConstraint("tenant_id", "month", name=op.f("uq_seal_expiries_tenant_id_month")),
    )
    for table in TABLES:
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY of_tenant ON {table} USING ({OF_THIS_TRANSACTION})")
        op.execute(f"GRANT SELECT ON {table} TO {SERVICE}")


def downgrade() -> None:
    for table in reversed(TABLES):
        op.drop_table(table)
