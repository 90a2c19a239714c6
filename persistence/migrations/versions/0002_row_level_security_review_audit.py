"""Add row-level security, the review of decisions and the audit log."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

SERVICE = "sentinel_service"
TENANT_TABLES = (
    "api_keys",
    "audit_log",
    "feedback",
    "idempotency_keys",
    "model_versions",
    "predictions",
    "production_versions",
    "transactions",
)

# The tenants of the running transaction, set with SET LOCAL; without the setting no row is visible.
# The sub-select is evaluated once a statement, not once a row.
OF_THIS_TRANSACTION = """tenant_id = ANY ((SELECT string_to_array(
    nullif(current_setting('sentinel.tenant_ids', true), ''), ','))::bigint[])"""

GRANTS = f"""
GRANT SELECT ON alembic_version, tenants TO {SERVICE};
GRANT SELECT, UPDATE (last_used_at) ON api_keys TO {SERVICE};
GRANT SELECT ON audit_log TO {SERVICE};
GRANT SELECT, INSERT ON feedback, idempotency_keys, model_versions, transactions TO {SERVICE};
GRANT SELECT, INSERT, UPDATE (reviewed) ON predictions TO {SERVICE};
GRANT SELECT, INSERT, UPDATE ON production_versions TO {SERVICE};
"""

# The function runs as its owner, who alone may write the log, so no entry can be forged. The hidden
# columns are a secret and the time of last use.
AUDIT = """
CREATE FUNCTION audit_change() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path FROM CURRENT AS $$
DECLARE
    hidden CONSTANT text[] := ARRAY['digest', 'last_used_at'];
    before CONSTANT jsonb := CASE WHEN TG_OP <> 'INSERT' THEN to_jsonb(OLD) - hidden END;
    after CONSTANT jsonb := CASE WHEN TG_OP <> 'DELETE' THEN to_jsonb(NEW) - hidden END;
    changed CONSTANT jsonb := coalesce(after, before);
    verb CONSTANT text := CASE TG_OP
        WHEN 'INSERT' THEN 'created' WHEN 'UPDATE' THEN 'changed' ELSE 'removed' END;
BEGIN
    IF before IS DISTINCT FROM after THEN
        INSERT INTO audit_log (tenant_id, actor, action, before, after) VALUES (
            coalesce(changed->>'tenant_id', changed->>'id')::bigint,
            coalesce(nullif(current_setting('sentinel.actor', true), ''), session_user),
            TG_ARGV[0] || '.' || verb, before, after);
    END IF;
    RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION audit_change() FROM PUBLIC;
"""
AUDITED = {
    "tenants": "tenant",
    "api_keys": "key",
    "production_versions": "promotion",
    "feedback": "feedback",
}


def upgrade() -> None:
    op.create_table(
        "audit_log",
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column(
            "at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False, comment="such as key.created"),
        sa.Column("before", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("after", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("fk_audit_log_tenant_id_tenants")
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_audit_log")),
    )
    op.create_index(
        "ix_audit_log_action",
        "audit_log",
        ["tenant_id", "action", sa.literal_column("id DESC")],
        unique=False,
    )
    op.create_table(
        "feedback",
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("transaction_id", sa.Uuid(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("rationale", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False, comment="public prefix of the API key"),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "label IN ('confirmed_fraud', 'false_positive', 'escalated')",
            name=op.f("ck_feedback_label_known"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "transaction_id"],
            ["transactions.tenant_id", "transactions.id"],
            name=op.f("fk_feedback_tenant_id_transaction_id_transactions"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_feedback")),
    )
    op.create_index(
        "ix_feedback_transaction",
        "feedback",
        ["tenant_id", "transaction_id", sa.literal_column("id DESC")],
        unique=False,
    )
    op.create_table(
        "production_versions",
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column(
            "since", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "name", "version"],
            ["model_versions.tenant_id", "model_versions.name", "model_versions.version"],
            name=op.f("fk_production_versions_tenant_id_name_version_model_versions"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", name=op.f("pk_production_versions")),
    )
    op.add_column(
        "api_keys",
        sa.Column(
            "last_used_at", sa.DateTime(timezone=True), nullable=True, comment="to the minute"
        ),
    )
    op.add_column(
        "predictions",
        sa.Column(
            "reviewed",
            sa.Boolean(),
            server_default=sa.text("false"),
            nullable=False,
            comment="an analyst has decided; all that ever changes here",
        ),
    )
    op.create_index(
        "ix_predictions_worklist",
        "predictions",
        [
            "tenant_id",
            "reviewed",
            "risk_band",
            sa.literal_column("score DESC"),
            sa.literal_column("id DESC"),
        ],
        unique=False,
    )
    for account in ("name_orig", "name_dest"):
        op.create_index(
            f"ix_transactions_{account}",
            "transactions",
            ["tenant_id", account, sa.literal_column("id DESC")],
            unique=False,
        )
    _secure()


def _secure() -> None:
    op.execute(
        f"""
        DO $$ BEGIN
            IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{SERVICE}') THEN
                CREATE ROLE {SERVICE} NOLOGIN;
            END IF;
        END $$;
        GRANT {SERVICE} TO CURRENT_USER;
        """
    )
    for table in TENANT_TABLES:
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY of_tenant ON {table} USING ({OF_THIS_TRANSACTION})")
    # A request's tenant is not known until its key is read, so a key is readable by its prefix.
    op.execute(
        "CREATE POLICY of_prefix ON api_keys USING"
        " (prefix = (SELECT nullif(current_setting('sentinel.key_prefix', true), '')))"
    )
    op.execute("CREATE POLICY by_trigger ON audit_log FOR INSERT WITH CHECK (true)")
    # The service reads partitions only through their parents; the owner may also read them by name.
    for partition in _partitions():
        op.execute(f"ALTER TABLE {partition} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {partition} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY of_tenant ON {partition} USING ({OF_THIS_TRANSACTION})")
    op.execute(GRANTS)
    op.execute(AUDIT)
    for table, noun in AUDITED.items():
        op.execute(
            f"CREATE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON {table}"
            f" FOR EACH ROW EXECUTE FUNCTION audit_change('{noun}')"
        )


def _partitions() -> list[str]:
    found = op.get_bind().execute(
        sa.text(
            "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent IN"
            " ('predictions'::regclass, 'transactions'::regclass)"
        )
    )
    return list(found.scalars())


def downgrade() -> None:
    for table in AUDITED:
        op.execute(f"DROP TRIGGER audit ON {table}")
    op.execute("DROP FUNCTION audit_change()")
    op.execute("DROP POLICY of_prefix ON api_keys")
    op.execute("DROP POLICY by_trigger ON audit_log")
    op.execute(f"REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {SERVICE}")
    for table in (*TENANT_TABLES, *_partitions()):
        op.execute(f"DROP POLICY of_tenant ON {table}")
        op.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")
    for account in ("name_orig", "name_dest"):
        op.drop_index(f"ix_transactions_{account}", table_name="transactions")
    op.drop_index("ix_predictions_worklist", table_name="predictions")
    op.drop_column("predictions", "reviewed")
    op.drop_column("api_keys", "last_used_at")
    op.drop_table("production_versions")
    op.drop_index("ix_feedback_transaction", table_name="feedback")
    op.drop_table("feedback")
    op.drop_index("ix_audit_log_action", table_name="audit_log")
    op.drop_table("audit_log")
