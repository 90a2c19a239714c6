"""Create tenants, API keys, model versions and decisions."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "tenants",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("slug", sa.Text(), nullable=False),
        sa.Column("model_name", sa.Text(), nullable=False, comment="registered model in MLflow"),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint("slug ~ '^[a-z][a-z0-9-]{1,39}$'", name=op.f("ck_tenants_slug_form")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tenants")),
        sa.UniqueConstraint("slug", name=op.f("uq_tenants_slug")),
    )
    op.create_table(
        "api_keys",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("prefix", sa.Text(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False, comment="HMAC-SHA256 of the key"),
        sa.Column("scopes", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "cardinality(scopes) > 0 AND scopes <@ ARRAY['score', 'review', 'admin']",
            name=op.f("ck_api_keys_scopes_known"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("fk_api_keys_tenant_id_tenants")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_keys")),
        sa.UniqueConstraint("prefix", name=op.f("uq_api_keys_prefix")),
    )
    op.create_index(op.f("ix_api_keys_tenant_id"), "api_keys", ["tenant_id"], unique=False)
    op.create_table(
        "model_versions",
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column(
            "policy",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="cost model, threshold, bands",
        ),
        sa.Column("calibrator_kind", sa.Text(), nullable=False),
        sa.Column(
            "first_served_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("fk_model_versions_tenant_id_tenants")
        ),
        sa.PrimaryKeyConstraint("tenant_id", "name", "version", name=op.f("pk_model_versions")),
    )
    op.create_table(
        "transactions",
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False, comment="UUIDv7"),
        sa.Column("external_id", sa.Text(), nullable=True),
        sa.Column("step", sa.Integer(), nullable=False, comment="hours since the tenant's epoch"),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("amount", sa.Double(), nullable=False),
        sa.Column("name_orig", sa.Text(), nullable=False),
        sa.Column("oldbalance_org", sa.Double(), nullable=False),
        sa.Column("name_dest", sa.Text(), nullable=False),
        sa.Column("oldbalance_dest", sa.Double(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("fk_transactions_tenant_id_tenants")
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_transactions")),
        postgresql_partition_by="RANGE (id)",
    )
    op.create_table(
        "predictions",
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False, comment="UUIDv7"),
        sa.Column("transaction_id", sa.Uuid(), nullable=False),
        sa.Column("model_name", sa.Text(), nullable=False),
        sa.Column("model_version", sa.Integer(), nullable=False),
        sa.Column("score", sa.Double(), nullable=False, comment="calibrated probability of fraud"),
        sa.Column("margin", sa.Double(), nullable=False, comment="log-odds"),
        sa.Column("base_value", sa.Double(), nullable=False, comment="log-odds"),
        sa.Column("raw_probability", sa.Double(), nullable=False, comment="before calibration"),
        sa.Column("threshold", sa.Double(), nullable=False, comment="the policy's, at scoring"),
        sa.Column("risk_band", sa.Text(), nullable=False),
        sa.Column("decision", sa.Text(), nullable=False),
        sa.Column(
            "features",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="feature name to value",
        ),
        sa.Column(
            "contributions",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="feature name to log-odds",
        ),
        sa.Column(
            "latency_ms",
            sa.Double(),
            nullable=False,
            comment="from the request's arrival until the row was handed to Postgres",
        ),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "decision IN ('approve', 'review')", name=op.f("ck_predictions_decision_known")
        ),
        sa.CheckConstraint(
            "risk_band IN ('low', 'medium', 'high')", name=op.f("ck_predictions_risk_band_known")
        ),
        sa.CheckConstraint(
            "score >= 0 AND score <= 1", name=op.f("ck_predictions_score_is_probability")
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "model_name", "model_version"],
            ["model_versions.tenant_id", "model_versions.name", "model_versions.version"],
            name=op.f("fk_predictions_tenant_id_model_name_model_version_model_versions"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "transaction_id"],
            ["transactions.tenant_id", "transactions.id"],
            name=op.f("fk_predictions_tenant_id_transaction_id_transactions"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_predictions")),
        postgresql_partition_by="RANGE (id)",
    )
    op.create_index(
        "ix_predictions_transaction", "predictions", ["tenant_id", "transaction_id"], unique=False
    )
    op.create_table(
        "idempotency_keys",
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column(
            "body_digest",
            sa.LargeBinary(),
            nullable=False,
            comment="SHA-256 of the canonical transaction",
        ),
        sa.Column("prediction_id", sa.Uuid(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "prediction_id"],
            ["predictions.tenant_id", "predictions.id"],
            name=op.f("fk_idempotency_keys_tenant_id_prediction_id_predictions"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("fk_idempotency_keys_tenant_id_tenants")
        ),
        sa.PrimaryKeyConstraint("tenant_id", "key", name=op.f("pk_idempotency_keys")),
    )
    for table in ("transactions", "predictions"):
        op.execute(f"CREATE TABLE {table}_default PARTITION OF {table} DEFAULT")


def downgrade() -> None:
    op.drop_table("idempotency_keys")
    op.drop_index("ix_predictions_transaction", table_name="predictions")
    op.drop_table("predictions")
    op.drop_table("transactions")
    op.drop_table("model_versions")
    op.drop_index(op.f("ix_api_keys_tenant_id"), table_name="api_keys")
    op.drop_table("api_keys")
    op.drop_table("tenants")
