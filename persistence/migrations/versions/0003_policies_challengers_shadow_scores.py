"""Add tenants' policies, challengers, refusals, shadow scores and test mode."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

SERVICE = "sentinel_service"
NEW_TABLES = ("challenger_versions", "policies", "refusals", "shadow_scores")

OF_THIS_TRANSACTION = """tenant_id = ANY ((SELECT string_to_array(
    nullif(current_setting('sentinel.tenant_ids', true), ''), ','))::bigint[])"""

GRANTS = f"""
GRANT SELECT, INSERT ON policies, refusals, shadow_scores TO {SERVICE};
GRANT SELECT, INSERT, UPDATE, DELETE ON challenger_versions TO {SERVICE};
"""

AUDITED = {"challenger_versions": "challenger", "refusals": "refusal"}

# A new policy is a new row that replaces the policy in force: `before` is that policy, the tenant's
# own or the production version's. Only the tables' owner can change rows.
AUDIT_POLICY = """
CREATE FUNCTION audit_policy() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path FROM CURRENT AS $$
DECLARE
    own CONSTANT jsonb := (
        SELECT to_jsonb(p) FROM policies p WHERE p.tenant_id = NEW.tenant_id AND p.id < NEW.id
        ORDER BY p.id DESC LIMIT 1);
    version CONSTANT jsonb := (
        SELECT to_jsonb(v) FROM model_versions v JOIN production_versions
        USING (tenant_id, name, version) WHERE tenant_id = NEW.tenant_id);
BEGIN
    INSERT INTO audit_log (tenant_id, actor, action, before, after) VALUES (
        NEW.tenant_id,
        coalesce(nullif(current_setting('sentinel.actor', true), ''), session_user),
        'policy.created',
        CASE WHEN own->'policy' <> 'null' THEN own ELSE version END,
        to_jsonb(NEW));
    RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION audit_policy() FROM PUBLIC;
CREATE TRIGGER audit AFTER INSERT ON policies FOR EACH ROW EXECUTE FUNCTION audit_policy();
CREATE TRIGGER audit_tampering AFTER UPDATE OR DELETE ON policies
FOR EACH ROW EXECUTE FUNCTION audit_change('policy');
"""

# Postgres notifies listeners when the transaction commits, not before.
NOTIFY = """
CREATE FUNCTION notify_policy() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('sentinel_policy', NEW.tenant_id::text);
    RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION notify_policy() FROM PUBLIC;
CREATE TRIGGER notify AFTER INSERT ON policies FOR EACH ROW EXECUTE FUNCTION notify_policy();
"""


def upgrade() -> None:
    op.create_table(
        "policies",
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column(
            "policy",
            postgresql.JSONB(none_as_null=True, astext_type=sa.Text()),
            nullable=True,
            comment="cost model, threshold, bands; null: each version's own again",
        ),
        sa.Column("actor", sa.Text(), nullable=False, comment="public prefix of the API key"),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "policy IS NULL OR coalesce("
            "(policy->>'threshold')::float8 > 0 AND (policy->>'high_from')::float8 < 1"
            " AND (policy->>'threshold')::float8 <= (policy->>'high_from')::float8, false)",
            name=op.f("ck_policies_policy_in_range"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("fk_policies_tenant_id_tenants")
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_policies")),
    )
    op.create_table(
        "refusals",
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column(
            "registered_ms",
            sa.BigInteger(),
            nullable=False,
            comment="Unix ms; tells a version from one registered again under its number",
        ),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column(
            "at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("fk_refusals_tenant_id_tenants")
        ),
        sa.PrimaryKeyConstraint(
            "tenant_id", "name", "version", "registered_ms", name=op.f("pk_refusals")
        ),
    )
    op.create_table(
        "challenger_versions",
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column(
            "canary_percent",
            sa.Double(),
            nullable=False,
            comment="share of accounts it decides for, 0-100",
        ),
        sa.Column(
            "since",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="when the version became the challenger",
        ),
        sa.CheckConstraint(
            "canary_percent BETWEEN 0 AND 100",
            name=op.f("ck_challenger_versions_canary_percent_in_range"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "name", "version"],
            ["model_versions.tenant_id", "model_versions.name", "model_versions.version"],
            name=op.f("fk_challenger_versions_tenant_id_name_version_model_versions"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", name=op.f("pk_challenger_versions")),
    )
    op.create_table(
        "shadow_scores",
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("prediction_id", sa.Uuid(), nullable=False, comment="UUIDv7"),
        sa.Column("model_name", sa.Text(), nullable=False),
        sa.Column("model_version", sa.Integer(), nullable=False),
        sa.Column("margin", sa.Double(), nullable=False, comment="log-odds"),
        sa.Column("score", sa.Double(), nullable=False, comment="calibrated probability of fraud"),
        sa.Column("threshold", sa.Double(), nullable=False, comment="the policy's, at scoring"),
        sa.Column("decision", sa.Text(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "decision IN ('approve', 'review')", name=op.f("ck_shadow_scores_decision_known")
        ),
        sa.CheckConstraint(
            "score >= 0 AND score <= 1", name=op.f("ck_shadow_scores_score_is_probability")
        ),
        sa.PrimaryKeyConstraint(
            "tenant_id",
            "prediction_id",
            "model_name",
            "model_version",
            name=op.f("pk_shadow_scores"),
        ),
        postgresql_partition_by="RANGE (prediction_id)",
    )
    _partition_like_predictions()
    _secure()
    op.add_column(
        "tenants",
        sa.Column(
            "is_test",
            sa.Boolean(),
            server_default=sa.text("false"),
            nullable=False,
            comment="fixed test transactions are answered without a model",
        ),
    )
    # Last, since it locks the table that scoring writes; only the catalogue changes. Maintenance
    # after the upgrade validates the key: it reads the whole history, under a lock that does not
    # stop scoring.
    op.add_column(
        "predictions",
        sa.Column(
            "policy_id",
            sa.BigInteger(),
            nullable=True,
            comment="the tenant's policy; null: the version's own",
        ),
    )
    op.create_foreign_key(
        op.f("fk_predictions_tenant_id_policy_id_policies"),
        "predictions",
        "policies",
        ["tenant_id", "policy_id"],
        ["tenant_id", "id"],
        postgresql_not_valid=True,
    )


def _partition_like_predictions() -> None:
    months = op.get_bind().execute(
        sa.text(
            """
            SELECT replace(c.relname, 'predictions', 'shadow_scores'),
                pg_get_expr(c.relpartbound, c.oid)
            FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
            WHERE i.inhparent = 'predictions'::regclass
            """
        )
    )
    for name, bounds in months.all():
        op.execute(f"CREATE TABLE {name} PARTITION OF shadow_scores {bounds}")


def _secure() -> None:
    for table in (*NEW_TABLES, *_partitions()):
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY of_tenant ON {table} USING ({OF_THIS_TRANSACTION})")
    op.execute(GRANTS)
    for table, noun in AUDITED.items():
        op.execute(
            f"CREATE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON {table}"
            f" FOR EACH ROW EXECUTE FUNCTION audit_change('{noun}')"
        )
    op.execute(AUDIT_POLICY)
    op.execute(NOTIFY)


def _partitions() -> list[str]:
    found = op.get_bind().execute(
        sa.text(
            "SELECT inhrelid::regclass::text FROM pg_inherits"
            " WHERE inhparent = 'shadow_scores'::regclass"
        )
    )
    return list(found.scalars())


def downgrade() -> None:
    op.drop_constraint(
        op.f("fk_predictions_tenant_id_policy_id_policies"), "predictions", type_="foreignkey"
    )
    op.drop_column("predictions", "policy_id")
    op.drop_column("tenants", "is_test")
    op.drop_table("shadow_scores")
    op.drop_table("challenger_versions")
    op.drop_table("refusals")
    op.drop_table("policies")
    op.execute("DROP FUNCTION notify_policy()")
    op.execute("DROP FUNCTION audit_policy()")
