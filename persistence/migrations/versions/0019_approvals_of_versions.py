"""Add approvals of model versions, and the tenants that ask for them.

The new columns are empty or have constant defaults, so no row is rewritten. A process of the release
before does not know them: until the rollout has ended it serves a version without its approval, and
that version goes on as the one in production.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

SERVICE = "sentinel_service"
TABLE = "version_approvals"
OF_REFUSALS = ["tenant_id", "name", "version", "registered_ms"]
"""Primary key of refusals so far; a version may wait for an approval, and then fail a check."""
REGISTERED = "Unix ms; null: recorded by an earlier release"

OF_THIS_TRANSACTION = """tenant_id = ANY ((SELECT string_to_array(
    nullif(current_setting('sentinel.tenant_ids', true), ''), ','))::bigint[])"""


def upgrade() -> None:
    op.add_column(
        "tenants",
        sa.Column(
            "four_eyes",
            sa.Boolean(),
            server_default=sa.false(),
            nullable=False,
            comment="a version serves only after a second person's approval",
        ),
    )
    op.add_column(
        "refusals",
        sa.Column(
            "awaits_approval",
            sa.Boolean(),
            server_default=sa.false(),
            nullable=False,
            comment="it failed no check; a second person has to approve it",
        ),
    )
    op.drop_constraint(op.f("pk_refusals"), "refusals", type_="primary")
    op.create_primary_key(op.f("pk_refusals"), "refusals", [*OF_REFUSALS, "awaits_approval"])
    op.add_column(
        "production_versions",
        sa.Column("registered_ms", sa.BigInteger(), nullable=True, comment=REGISTERED),
    )
    op.create_table(
        TABLE,
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column(
            "registered_ms",
            sa.BigInteger(),
            nullable=False,
            comment="Unix ms; distinguishes a version from a later one with its number",
        ),
        sa.Column("actor", sa.Text(), nullable=False, comment="name of the API key"),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column(
            "at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("fk_version_approvals_tenant_id_tenants")
        ),
        sa.PrimaryKeyConstraint(
            *("tenant_id", "name", "version", "registered_ms", "actor"),
            name=op.f("pk_version_approvals"),
        ),
    )
    op.execute(f"ALTER TABLE {TABLE} ENABLE ROW LEVEL SECURITY")
    op.execute(f"ALTER TABLE {TABLE} FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY of_tenant ON {TABLE} USING ({OF_THIS_TRANSACTION})")
    op.execute(f"GRANT SELECT, INSERT ON {TABLE} TO {SERVICE}")
    op.execute(
        f"CREATE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON {TABLE}"
        " FOR EACH ROW EXECUTE FUNCTION audit_change('approval')"
    )


def downgrade() -> None:
    op.drop_table(TABLE)
    op.drop_column("production_versions", "registered_ms")
    op.execute("DELETE FROM refusals WHERE awaits_approval")
    op.drop_constraint(op.f("pk_refusals"), "refusals", type_="primary")
    op.create_primary_key(op.f("pk_refusals"), "refusals", OF_REFUSALS)
    op.drop_column("refusals", "awaits_approval")
    op.drop_column("tenants", "four_eyes")
