"""Add proposals of policies, and the tenants that ask for a second person's approval of them.

The new column has a constant default, so no row is rewritten. A process of the release before does
not know it: until the rollout has ended, it puts a policy in force without an approval.
"""

from __future__ import annotations

import re

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None

SERVICE = "sentinel_service"
TABLE = "policy_proposals"
OF_THIS_TRANSACTION = """tenant_id = ANY ((SELECT string_to_array(
    nullif(current_setting('sentinel.tenant_ids', true), ''), ','))::bigint[])"""

RIGHTS = "SELECT, INSERT, UPDATE (status, decided_by, decided_via, decided_at, note, policy_id)"
OBJECT = " WHEN noun = 'policy_proposal' THEN 'policy' "
"""Object of the audit log's entries: `audit_object` has it beside the nouns of all revisions."""
STORED_OBJECT = r"WHEN \(noun = 'policy_proposal'::text\) THEN 'policy'::text\s*"


def _audit_object() -> str:
    definition = op.get_bind().execute(
        sa.text("SELECT pg_get_functiondef('audit_object'::regproc)")
    )
    return str(definition.scalar_one())


def upgrade() -> None:
    op.add_column(
        "tenants",
        sa.Column(
            "four_eyes_policy",
            sa.Boolean(),
            server_default=sa.false(),
            nullable=False,
            comment="a policy is in force only after a second person's approval",
        ),
    )
    op.create_table(
        TABLE,
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column(
            "policy",
            JSONB(),
            nullable=True,
            comment="as in policies; null: each version's own again",
        ),
        sa.Column("base", sa.Text(), nullable=False, comment="policy in force that the person saw"),
        sa.Column(
            "before",
            JSONB(),
            nullable=False,
            comment="numbers of the policy in force that the person saw",
        ),
        sa.Column("reason", sa.Text(), nullable=True, comment="in the person's words"),
        sa.Column("actor", sa.Text(), nullable=False, comment="name of the person or key"),
        sa.Column("via", sa.Text(), nullable=True, comment="account or key, as in the audit log"),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("status", sa.Text(), server_default=sa.text("'open'"), nullable=False),
        sa.Column("decided_by", sa.Text(), nullable=True, comment="name of the person or key"),
        sa.Column("decided_via", sa.Text(), nullable=True, comment="account or key"),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("note", sa.Text(), nullable=True, comment="in the words of who decided"),
        sa.Column(
            "policy_id", sa.BigInteger(), nullable=True, comment="policy that its approval made"
        ),
        sa.CheckConstraint(
            "status IN ('open', 'approved', 'refused', 'replaced')",
            name=op.f("ck_policy_proposals_status_known"),
        ),
        sa.CheckConstraint(
            "(status = 'open') = (decided_at IS NULL)"
            " AND (status = 'open') = (decided_by IS NULL)"
            " AND (status = 'approved') = (policy_id IS NOT NULL)",
            name=op.f("ck_policy_proposals_decided_once"),
        ),
        sa.CheckConstraint(
            "status <> 'approved' OR CASE"
            " WHEN via LIKE 'user %' AND decided_via LIKE 'user %'"
            " THEN lower(decided_via) <> lower(via)"
            " ELSE lower(decided_by) <> lower(actor) END",
            name=op.f("ck_policy_proposals_second_person"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("fk_policy_proposals_tenant_id_tenants")
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "policy_id"],
            ["policies.tenant_id", "policies.id"],
            name=op.f("fk_policy_proposals_tenant_id_policy_id_policies"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_policy_proposals")),
    )
    op.create_index(
        "uq_policy_proposals_open",
        TABLE,
        ["tenant_id"],
        unique=True,
        postgresql_where=sa.text("status = 'open'"),
    )
    op.execute(_audit_object().replace("ELSE", f"{OBJECT} ELSE", 1))
    op.execute(f"ALTER TABLE {TABLE} ENABLE ROW LEVEL SECURITY")
    op.execute(f"ALTER TABLE {TABLE} FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY of_tenant ON {TABLE} USING ({OF_THIS_TRANSACTION})")
    op.execute(f"GRANT {RIGHTS} ON {TABLE} TO {SERVICE}")
    op.execute(
        f"CREATE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON {TABLE}"
        " FOR EACH ROW EXECUTE FUNCTION audit_change('policy_proposal')"
    )


def downgrade() -> None:
    op.drop_table(TABLE)
    op.execute(re.sub(STORED_OBJECT, "", _audit_object()))
    op.drop_column("tenants", "four_eyes_policy")
