"""Add drift checks: predictions of a window compared with the training distribution."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

TABLES = ("drift_checks", "drift_measures")

OF_THIS_TRANSACTION = """tenant_id = ANY ((SELECT string_to_array(
    nullif(current_setting('sentinel.tenant_ids', true), ''), ','))::bigint[])"""


def upgrade() -> None:
    op.create_table(
        "drift_checks",
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column(
            "computed_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="the same for all versions of a run",
        ),
        sa.Column("window_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("window_to", sa.DateTime(timezone=True), nullable=False),
        sa.Column("model_name", sa.Text(), nullable=False),
        sa.Column("model_version", sa.Integer(), nullable=False),
        sa.Column(
            "predictions",
            sa.BigInteger(),
            nullable=False,
            comment="that the version made in the window",
        ),
        sa.Column("note", sa.Text(), nullable=True, comment="why nothing was measured"),
        sa.CheckConstraint(
            "window_from < window_to", name=op.f("ck_drift_checks_window_has_length")
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("fk_drift_checks_tenant_id_tenants")
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "model_name", "model_version"],
            ["model_versions.tenant_id", "model_versions.name", "model_versions.version"],
            name=op.f("fk_drift_checks_tenant_id_model_name_model_version_model_versions"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_drift_checks")),
    )
    op.create_index(
        "ix_drift_checks_latest", "drift_checks", ["tenant_id", sa.text("computed_at DESC")]
    )
    op.create_table(
        "drift_measures",
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("check_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False, comment="a feature's, or score"),
        sa.Column(
            "edges",
            sa.ARRAY(sa.Double()),
            nullable=False,
            comment="bin i is [edges[i-1], edges[i])",
        ),
        sa.Column(
            "trained",
            sa.ARRAY(sa.Double()),
            nullable=False,
            comment="share of the training rows in each bin",
        ),
        sa.Column("trained_rows", sa.BigInteger(), nullable=False),
        sa.Column(
            "counts",
            sa.ARRAY(sa.BigInteger()),
            nullable=False,
            comment="the window's rows in each bin",
        ),
        sa.Column("level", sa.Text(), nullable=False),
        sa.Column("psi", sa.Double(), nullable=True, comment="nats"),
        sa.Column(
            "expected_without_drift",
            sa.Double(),
            nullable=True,
            comment="mean of psi by chance",
        ),
        sa.Column(
            "limit_without_drift",
            sa.Double(),
            nullable=True,
            comment="exceeded by chance once in a thousand windows",
        ),
        sa.CheckConstraint(
            "level IN ('stable', 'moderate', 'major', 'insufficient', 'empty', 'constant')",
            name=op.f("ck_drift_measures_level_known"),
        ),
        sa.CheckConstraint(
            "(psi IS NULL) = (level IN ('insufficient', 'empty', 'constant'))",
            name=op.f("ck_drift_measures_psi_where_measured"),
        ),
        sa.CheckConstraint(
            "cardinality(counts) = cardinality(trained)"
            " AND cardinality(counts) = cardinality(edges) + 1",
            name=op.f("ck_drift_measures_one_count_a_bin"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "check_id"],
            ["drift_checks.tenant_id", "drift_checks.id"],
            name=op.f("fk_drift_measures_tenant_id_check_id_drift_checks"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "check_id", "name", name=op.f("pk_drift_measures")),
    )
    for table in TABLES:
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY of_tenant ON {table} USING ({OF_THIS_TRANSACTION})")
    # `sentinel monitor` writes them as the owner.
    op.execute(f"GRANT SELECT ON {', '.join(TABLES)} TO sentinel_service")


def downgrade() -> None:
    op.drop_table("drift_measures")
    op.drop_table("drift_checks")
