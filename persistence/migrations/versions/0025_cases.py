"""Add cases: facts, linked events and entities, and notes.

New tables only; the release before does not read them.
"""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

SERVICE = "sentinel_service"
OF_THIS_TRANSACTION = """tenant_id = ANY ((SELECT string_to_array(
    nullif(current_setting('sentinel.tenant_ids', true), ''), ','))::bigint[])"""

GRANTS = {
    "cases": "SELECT, INSERT, UPDATE (version, title, status, priority, assignee_id, due_on,"
    " outcome, amount, updated_at, closed_at)",
    "case_events": "SELECT, INSERT, DELETE",
    "case_entities": "SELECT, INSERT, DELETE",
    "case_notes": "SELECT, INSERT",
}
"""Rights of the service by table."""

NOUNS = {
    "cases": "case",
    "case_events": "case_event",
    "case_entities": "case_entity",
    "case_notes": "case_note",
}
"""Noun of the audit log's actions by table."""


def _audit_object(cases: str) -> str:
    """Return the function of revision 0024 with further nouns."""
    return f"""
        CREATE OR REPLACE FUNCTION audit_object(noun text, item jsonb) RETURNS text
        LANGUAGE sql IMMUTABLE
        RETURN CASE
            WHEN noun = 'tenant' THEN 'tenants/' || (item->>'slug')
            WHEN noun = 'key' THEN 'keys/' || (item->>'prefix')
            WHEN noun IN ('feedback', 'label') THEN 'transactions/' || (item->>'transaction_id')
            WHEN noun = 'policy' THEN 'policy'
            WHEN noun = 'rule' THEN 'rules/' || (item->>'id')
            WHEN noun = 'snooze' THEN 'rules/' || (item->>'rule_id')
            WHEN noun = 'list' THEN 'lists/' || (item->>'name')
            WHEN noun = 'user' THEN 'users/' || (item->>'id')
            WHEN noun IN ('session', 'link', 'search') THEN 'users/' || (item->>'user_id')
            WHEN noun = 'assignment' THEN 'transactions/' || (item->>'transaction_id')
            {cases}
            ELSE 'models/' || (item->>'name') || '/' || (item->>'version') END
    """


def upgrade() -> None:
    _create_tables()
    op.execute(
        _audit_object(
            "WHEN noun = 'case' THEN 'cases/' || (item->>'number')"
            " WHEN noun IN ('case_event', 'case_entity', 'case_note')"
            " THEN 'cases/' || (item->>'case_number')"
        )
    )
    for table, rights in GRANTS.items():
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY of_tenant ON {table} USING ({OF_THIS_TRANSACTION})")
        op.execute(f"GRANT {rights} ON {table} TO {SERVICE}")
    for table, noun in NOUNS.items():
        op.execute(
            f"CREATE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON {table}"
            f" FOR EACH ROW EXECUTE FUNCTION audit_change('{noun}')"
        )


def downgrade() -> None:
    for table in reversed(GRANTS):
        op.drop_table(table)
    op.execute(_audit_object(""))


def _tenant() -> sa.Column[int]:
    return sa.Column("tenant_id", sa.BigInteger(), nullable=False)


def _text(name: str, comment: str | None = None, *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=nullable, comment=comment)


def _now(name: str) -> sa.Column[datetime]:
    return sa.Column(
        name, sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
    )


def _case_number() -> sa.Column[int]:
    return sa.Column("case_number", sa.Integer(), nullable=False)


def _of_case(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["tenant_id", "case_number"],
        ["cases.tenant_id", "cases.number"],
        name=op.f(f"fk_{table}_tenant_id_case_number_cases"),
    )


def _create_tables() -> None:
    person = "name of the person"
    op.create_table(
        "cases",
        _tenant(),
        sa.Column("number", sa.Integer(), nullable=False, comment="1, 2, 3 ... in the tenant"),
        sa.Column(
            "version",
            sa.Integer(),
            server_default=sa.text("1"),
            nullable=False,
            comment="grows with every change of facts and links",
        ),
        _text("title"),
        sa.Column("status", sa.Text(), server_default=sa.text("'open'"), nullable=False),
        sa.Column("priority", sa.Text(), server_default=sa.text("'normal'"), nullable=False),
        sa.Column("assignee_id", sa.BigInteger(), nullable=True, comment="null: nobody's"),
        sa.Column("due_on", sa.Date(), nullable=True, comment="day in the tenant's time zone"),
        _text("outcome", "null: it is open", nullable=True),
        sa.Column("amount", sa.Double(), nullable=True, comment="money that the outcome is about"),
        _text("created_by", person),
        _now("created_at"),
        _now("updated_at"),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "char_length(title) BETWEEN 1 AND 200", name=op.f("ck_cases_title_length")
        ),
        sa.CheckConstraint("status IN ('open', 'closed')", name=op.f("ck_cases_status_known")),
        sa.CheckConstraint(
            "priority IN ('low', 'normal', 'high')", name=op.f("ck_cases_priority_known")
        ),
        sa.CheckConstraint(
            "outcome IN ('fraud_confirmed', 'not_fraud', 'inconclusive')",
            name=op.f("ck_cases_outcome_known"),
        ),
        sa.CheckConstraint("amount >= 0 AND amount <= 1e12", name=op.f("ck_cases_amount_in_range")),
        sa.CheckConstraint(
            "(status = 'closed') = (outcome IS NOT NULL)"
            " AND (status = 'closed') = (closed_at IS NOT NULL)"
            " AND (status = 'closed' OR amount IS NULL)",
            name=op.f("ck_cases_outcome_when_closed"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("fk_cases_tenant_id_tenants")
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "assignee_id"],
            ["users.tenant_id", "users.id"],
            name=op.f("fk_cases_tenant_id_assignee_id_users"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "number", name=op.f("pk_cases")),
    )
    in_order = ["status", "priority", "due_on", "number"]
    op.create_index("ix_cases_status", "cases", ["tenant_id", *in_order])
    op.create_index("ix_cases_assignee", "cases", ["tenant_id", "assignee_id", *in_order])
    op.create_index(
        "ix_cases_closed",
        "cases",
        ["tenant_id", sa.text("closed_at DESC"), sa.text("number DESC")],
        postgresql_where=sa.text("status = 'closed'"),
    )
    op.create_table(
        "case_events",
        _tenant(),
        _case_number(),
        sa.Column("transaction_id", sa.Uuid(), nullable=False),
        _text("actor", person),
        _now("created_at"),
        _of_case("case_events"),
        sa.PrimaryKeyConstraint(
            "tenant_id", "case_number", "transaction_id", name=op.f("pk_case_events")
        ),
    )
    op.create_index("ix_case_events_transaction", "case_events", ["tenant_id", "transaction_id"])
    op.create_table(
        "case_entities",
        _tenant(),
        _case_number(),
        _text("entity", "kind, such as customer"),
        _text("key", "the entity, as events have it"),
        _text("actor", person),
        _now("created_at"),
        _of_case("case_entities"),
        sa.PrimaryKeyConstraint(
            *("tenant_id", "case_number", "entity", "key"), name=op.f("pk_case_entities")
        ),
    )
    op.create_index("ix_case_entities_entity", "case_entities", ["tenant_id", "entity", "key"])
    op.create_table(
        "case_notes",
        _tenant(),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        _case_number(),
        _text("text"),
        _text("actor", person),
        _now("created_at"),
        sa.CheckConstraint(
            "char_length(text) BETWEEN 1 AND 4000", name=op.f("ck_case_notes_text_length")
        ),
        _of_case("case_notes"),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_case_notes")),
    )
    op.create_index("ix_case_notes_case", "case_notes", ["tenant_id", "case_number", "id"])
