"""Add tenants' event types, and events of another type than PaySim's."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

SERVICE = "sentinel_service"
PAYSIM = (
    "step",
    "type",
    "amount",
    "name_orig",
    "oldbalance_org",
    "name_dest",
    "oldbalance_dest",
)

OF_THIS_TRANSACTION = """tenant_id = ANY ((SELECT string_to_array(
    nullif(current_setting('sentinel.tenant_ids', true), ''), ','))::bigint[])"""

SECURE = f"""
ALTER TABLE event_types ENABLE ROW LEVEL SECURITY;
ALTER TABLE event_types FORCE ROW LEVEL SECURITY;
CREATE POLICY of_tenant ON event_types USING ({OF_THIS_TRANSACTION});
GRANT SELECT, INSERT ON event_types TO {SERVICE};
"""

# A new version replaces the one in force, which is the entry's `before`. Only the table's owner can
# change rows.
AUDIT = """
CREATE FUNCTION audit_event_type() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path FROM CURRENT AS $$
BEGIN
    INSERT INTO audit_log (tenant_id, actor, action, before, after, via, object) VALUES (
        NEW.tenant_id,
        coalesce(nullif(current_setting('sentinel.actor', true), ''), session_user),
        'event_type.created',
        (SELECT to_jsonb(e) FROM event_types e WHERE e.tenant_id = NEW.tenant_id
            AND e.id < NEW.id ORDER BY e.id DESC LIMIT 1),
        to_jsonb(NEW),
        nullif(current_setting('sentinel.via', true), ''),
        'event-type');
    RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION audit_event_type() FROM PUBLIC;
CREATE TRIGGER audit AFTER INSERT ON event_types FOR EACH ROW EXECUTE FUNCTION audit_event_type();
CREATE TRIGGER audit_tampering AFTER UPDATE OR DELETE ON event_types
FOR EACH ROW EXECUTE FUNCTION audit_change('event_type');
"""

# Postgres notifies listeners when the transaction commits, not before. The channel is the one that
# policies have: a process reads both again.
NOTIFY = """
CREATE TRIGGER notify AFTER INSERT ON event_types FOR EACH ROW EXECUTE FUNCTION notify_policy();
"""


def upgrade() -> None:
    op.create_table(
        "event_types",
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False, comment="1, 2, 3 ... in the tenant"),
        sa.Column(
            "document",
            postgresql.JSON(astext_type=sa.Text()),
            nullable=False,
            comment="name, label, fields in order",
        ),
        sa.Column("actor", sa.Text(), nullable=False, comment="name of the API key or of the user"),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint("version >= 1", name=op.f("ck_event_types_version_counts_from_1")),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("fk_event_types_tenant_id_tenants")
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_event_types")),
    )
    op.execute(SECURE)
    op.execute(AUDIT)
    op.execute(NOTIFY)
    for name in PAYSIM:
        op.alter_column("transactions", name, nullable=True)
    for name, role in (("name_orig", "payer"), ("name_dest", "payee")):
        op.execute(f"COMMENT ON COLUMN transactions.{name} IS '{role}'")
    op.add_column(
        "transactions",
        sa.Column(
            "event_type_id",
            sa.BigInteger(),
            nullable=True,
            comment="version of the tenant's event type; null: PaySim's",
        ),
    )
    op.add_column(
        "transactions",
        sa.Column(
            "fields",
            postgresql.JSONB(none_as_null=True, astext_type=sa.Text()),
            nullable=True,
            comment="value by field name; null: PaySim's columns",
        ),
    )
    # NOT VALID: every row so far has PaySim's columns, and a scan of them would hold the lock.
    op.execute(
        f"""
        ALTER TABLE transactions ADD CONSTRAINT ck_transactions_fields_complete CHECK (
            CASE WHEN event_type_id IS NULL THEN num_nulls({", ".join(PAYSIM)}) = 0
            ELSE fields IS NOT NULL END) NOT VALID
        """
    )


def downgrade() -> None:
    op.drop_constraint(op.f("ck_transactions_fields_complete"), "transactions", type_="check")
    op.drop_column("transactions", "fields")
    op.drop_column("transactions", "event_type_id")
    for name in PAYSIM:
        op.alter_column("transactions", name, nullable=False)
    for name in ("name_orig", "name_dest"):
        op.execute(f"COMMENT ON COLUMN transactions.{name} IS NULL")
    op.drop_table("event_types")
    op.execute("DROP FUNCTION audit_event_type()")
