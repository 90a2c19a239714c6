"""Add the replies that are kept for requests with an idempotency key of their own."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

TABLE = "idempotent_requests"

OF_THIS_TRANSACTION = """tenant_id = ANY ((SELECT string_to_array(
    nullif(current_setting('sentinel.tenant_ids', true), ''), ','))::bigint[])"""


def upgrade() -> None:
    op.create_table(
        TABLE,
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column(
            "body_digest",
            sa.LargeBinary(),
            nullable=False,
            comment="SHA-256 of the method, the path and the canonical body",
        ),
        sa.Column(
            "prediction_ids",
            sa.ARRAY(sa.Uuid()),
            nullable=True,
            comment="of a batch, in the order of its rows",
        ),
        sa.Column("status", sa.Integer(), nullable=True, comment="of any other request"),
        sa.Column("reply", sa.LargeBinary(), nullable=True, comment="of any other request"),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "(prediction_ids IS NULL) = (reply IS NOT NULL) AND (status IS NULL) = (reply IS NULL)",
            name=op.f("ck_idempotent_requests_one_kind_of_reply"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("fk_idempotent_requests_tenant_id_tenants")
        ),
        sa.PrimaryKeyConstraint("tenant_id", "key", name=op.f("pk_idempotent_requests")),
    )
    op.execute(f"ALTER TABLE {TABLE} ENABLE ROW LEVEL SECURITY")
    op.execute(f"ALTER TABLE {TABLE} FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY of_tenant ON {TABLE} USING ({OF_THIS_TRANSACTION})")
    op.execute(f"GRANT SELECT, INSERT ON {TABLE} TO sentinel_service")


def downgrade() -> None:
    op.drop_table(TABLE)
