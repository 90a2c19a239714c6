"""Add rules, snoozes, lists and entries, and what they made of each decision.

The columns are empty in every decision before, so nothing is rewritten. The constraint of outcomes
is NOT VALID: every decision so far is an approval or a review, and a scan of them would hold the
lock. A process of the release before reads a stored `decline` as an error of its own; there is none
until a tenant makes a rule, a list or a policy that declines, which that release cannot.
"""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

SERVICE = "sentinel_service"
TABLES = ("rule_changes", "rules", "rule_snoozes", "lists", "list_entries")
ENDED = {
    "rule_snoozes": "ended_change",
    "lists": "removed_change",
    "list_entries": "removed_change",
}
"""Number of the change that ends a row, all that ever changes, by table."""

OF_THIS_TRANSACTION = """tenant_id = ANY ((SELECT string_to_array(
    nullif(current_setting('sentinel.tenant_ids', true), ''), ','))::bigint[])"""

# Postgres notifies listeners when the transaction commits, not before. The channel is the one that
# policies and event types have.
NOTIFY = """
CREATE TRIGGER notify AFTER INSERT ON rule_changes
    FOR EACH ROW EXECUTE FUNCTION notify_policy();
"""

END_ONCE = """
CREATE FUNCTION end_once() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF to_jsonb(OLD)->>TG_ARGV[0] IS NOT NULL THEN
        RAISE EXCEPTION '% of % is set already', TG_ARGV[0], TG_TABLE_NAME
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
REVOKE ALL ON FUNCTION end_once() FROM PUBLIC;
"""

# The version before is the entry's `before`. Only the table's owner can change rows.
AUDIT_RULE = """
CREATE FUNCTION audit_rule() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path FROM CURRENT AS $$
BEGIN
    INSERT INTO audit_log (tenant_id, actor, action, before, after, via, object) VALUES (
        NEW.tenant_id,
        coalesce(nullif(current_setting('sentinel.actor', true), ''), session_user),
        CASE WHEN NEW.version = 1 THEN 'rule.created' ELSE 'rule.changed' END,
        (SELECT to_jsonb(r) FROM rules r
            WHERE r.tenant_id = NEW.tenant_id AND r.id = NEW.id AND r.version = NEW.version - 1),
        to_jsonb(NEW),
        nullif(current_setting('sentinel.via', true), ''),
        'rules/' || NEW.id);
    RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION audit_rule() FROM PUBLIC;
CREATE TRIGGER audit AFTER INSERT ON rules FOR EACH ROW EXECUTE FUNCTION audit_rule();
CREATE TRIGGER audit_tampering AFTER UPDATE OR DELETE ON rules
    FOR EACH ROW EXECUTE FUNCTION audit_change('rule');
CREATE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON rule_snoozes
    FOR EACH ROW EXECUTE FUNCTION audit_change('snooze');
CREATE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON lists
    FOR EACH ROW EXECUTE FUNCTION audit_change('list');
"""

# One audit entry for each list that a statement touches: a file has up to a million entries. Of a
# single one the value and the reason are in it.
AUDIT_ENTRIES = """
CREATE FUNCTION audit_list_entries() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path FROM CURRENT AS $$
BEGIN
    INSERT INTO audit_log (tenant_id, actor, action, before, after, via, object)
    SELECT tenant_id,
        coalesce(nullif(current_setting('sentinel.actor', true), ''), session_user),
        CASE TG_OP WHEN 'INSERT' THEN 'list_entries.created' ELSE 'list_entries.removed' END,
        CASE TG_OP WHEN 'INSERT' THEN NULL ELSE summary END,
        CASE TG_OP WHEN 'INSERT' THEN summary END,
        nullif(current_setting('sentinel.via', true), ''),
        'lists/' || name
    FROM (
        SELECT t.tenant_id, l.name, jsonb_strip_nulls(jsonb_build_object(
            'count', count(*), 'first_id', min(t.id), 'last_id', max(t.id),
            'value', CASE WHEN count(*) = 1 THEN min(t.value) END,
            'reason', CASE WHEN count(*) = 1 THEN min(t.reason) END,
            'expires_at', CASE WHEN count(*) = 1 THEN min(t.expires_at) END)) AS summary
        FROM touched t
        JOIN lists l ON l.tenant_id = t.tenant_id AND l.id = t.list_id
        GROUP BY t.tenant_id, l.id, l.name
    ) AS by_list;
    RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION audit_list_entries() FROM PUBLIC;
CREATE TRIGGER audit_insert AFTER INSERT ON list_entries REFERENCING NEW TABLE AS touched
    FOR EACH STATEMENT EXECUTE FUNCTION audit_list_entries();
CREATE TRIGGER audit_update AFTER UPDATE ON list_entries REFERENCING NEW TABLE AS touched
    FOR EACH STATEMENT EXECUTE FUNCTION audit_list_entries();
CREATE TRIGGER audit_delete AFTER DELETE ON list_entries REFERENCING OLD TABLE AS touched
    FOR EACH STATEMENT EXECUTE FUNCTION audit_list_entries();
"""

DECLINE_IN_RANGE = """
    policy->'decline_from' IS NULL OR coalesce(
        (policy->>'decline_from')::float8 >= (policy->>'threshold')::float8
        AND (policy->>'decline_from')::float8 < 1, false)
"""


def _audit_object(rules: str) -> str:
    """Return the function of revision 0011 with further nouns."""
    return f"""
        CREATE OR REPLACE FUNCTION audit_object(noun text, item jsonb) RETURNS text
        LANGUAGE sql IMMUTABLE
        RETURN CASE
            WHEN noun = 'tenant' THEN 'tenants/' || (item->>'slug')
            WHEN noun = 'key' THEN 'keys/' || (item->>'prefix')
            WHEN noun IN ('feedback', 'label') THEN 'transactions/' || (item->>'transaction_id')
            WHEN noun = 'policy' THEN 'policy'
            {rules}
            ELSE 'models/' || (item->>'name') || '/' || (item->>'version') END
    """


def _outcomes(outcomes: str) -> None:
    for table in ("predictions", "shadow_scores"):
        name = op.f(f"ck_{table}_decision_known")
        op.drop_constraint(name, table, type_="check")
        op.execute(
            f"ALTER TABLE {table} ADD CONSTRAINT {name} CHECK (decision IN ({outcomes})) NOT VALID"
        )


def upgrade() -> None:
    _create_tables()
    for table in TABLES:
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY of_tenant ON {table} USING ({OF_THIS_TRANSACTION})")
        op.execute(f"GRANT SELECT, INSERT ON {table} TO {SERVICE}")
    op.execute(END_ONCE)
    for table, column in ENDED.items():
        op.execute(f"GRANT UPDATE ({column}) ON {table} TO {SERVICE}")
        op.execute(
            f"CREATE TRIGGER end_once BEFORE UPDATE ON {table}"
            f" FOR EACH ROW EXECUTE FUNCTION end_once('{column}')"
        )
    op.execute(NOTIFY)
    op.execute(
        _audit_object(
            "WHEN noun = 'rule' THEN 'rules/' || (item->>'id')"
            " WHEN noun = 'snooze' THEN 'rules/' || (item->>'rule_id')"
            " WHEN noun = 'list' THEN 'lists/' || (item->>'name')"
        )
    )
    op.execute(AUDIT_RULE)
    op.execute(AUDIT_ENTRIES)
    op.add_column(
        "predictions",
        sa.Column(
            "decline_threshold",
            sa.Double(),
            nullable=True,
            comment="the policy's, at scoring; null: the model declines nothing",
        ),
    )
    op.add_column(
        "predictions",
        sa.Column(
            "ruling",
            postgresql.JSONB(none_as_null=True, astext_type=sa.Text()),
            nullable=True,
            comment="number of the change in force, what decided, what fired; null: no rules, no"
            " lists",
        ),
    )
    _outcomes("'approve', 'review', 'decline'")
    op.create_check_constraint(
        op.f("ck_policies_decline_from_in_range"), "policies", DECLINE_IN_RANGE
    )


def downgrade() -> None:
    op.drop_constraint(op.f("ck_policies_decline_from_in_range"), "policies", type_="check")
    _outcomes("'approve', 'review'")
    op.drop_column("predictions", "ruling")
    op.drop_column("predictions", "decline_threshold")
    for table in reversed(TABLES):
        op.drop_table(table)
    for function in ("audit_list_entries", "audit_rule", "end_once"):
        op.execute(f"DROP FUNCTION {function}()")
    op.execute(_audit_object(""))


def _tenant() -> sa.Column[int]:
    return sa.Column("tenant_id", sa.BigInteger(), nullable=False)


def _text(name: str, comment: str | None = None, *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=nullable, comment=comment)


def _actor() -> sa.Column[str]:
    return _text("actor", "name of the API key or of the user")


def _created_at() -> sa.Column[datetime]:
    return sa.Column(
        "created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
    )


def _change(name: str, comment: str | None = None) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), nullable=comment is not None, comment=comment)


def _of_change(table: str, column: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["tenant_id", column],
        ["rule_changes.tenant_id", "rule_changes.id"],
        name=op.f(f"fk_{table}_tenant_id_rule_changes")
        if column in ("change_id", "added_change")
        else op.f(f"fk_{table}_{column}_rule_changes"),
    )


def _create_tables() -> None:
    of_tenant = "1, 2, 3 ... in the tenant"
    op.create_table(
        "rule_changes",
        _tenant(),
        sa.Column("id", sa.BigInteger(), nullable=False, comment=of_tenant),
        _created_at(),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("fk_rule_changes_tenant_id_tenants")
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_rule_changes")),
    )
    op.create_table(
        "rules",
        _tenant(),
        sa.Column("id", sa.Integer(), nullable=False, comment=of_tenant),
        sa.Column("version", sa.Integer(), nullable=False, comment="1, 2, 3 ... of the rule"),
        _text("name"),
        _text("condition", "in the language of features, canonical"),
        _text("action"),
        _text("state"),
        sa.Column("priority", sa.Integer(), nullable=False, comment="the smallest decides first"),
        _actor(),
        _change("change_id"),
        _created_at(),
        sa.CheckConstraint("version >= 1", name=op.f("ck_rules_version_counts_from_1")),
        sa.CheckConstraint(
            "action IN ('approve', 'review', 'decline')", name=op.f("ck_rules_action_known")
        ),
        sa.CheckConstraint("state IN ('off', 'shadow', 'live')", name=op.f("ck_rules_state_known")),
        sa.CheckConstraint("priority BETWEEN 0 AND 10000", name=op.f("ck_rules_priority_in_range")),
        sa.CheckConstraint("length(name) BETWEEN 1 AND 100", name=op.f("ck_rules_name_length")),
        _of_change("rules", "change_id"),
        sa.PrimaryKeyConstraint("tenant_id", "id", "version", name=op.f("pk_rules")),
    )
    op.create_index("ix_rules_change", "rules", ["tenant_id", "change_id"])
    op.create_table(
        "rule_snoozes",
        _tenant(),
        sa.Column("id", sa.Integer(), nullable=False, comment=of_tenant),
        sa.Column("rule_id", sa.Integer(), nullable=False),
        _text("entity", "kind of entity, such as customer"),
        _text("value", "the entity, as events have it"),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        _text("reason"),
        _actor(),
        _change("added_change"),
        _change("ended_change", "null: it was not ended"),
        _created_at(),
        _of_change("rule_snoozes", "added_change"),
        _of_change("rule_snoozes", "ended_change"),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_rule_snoozes")),
    )
    op.create_table(
        "lists",
        _tenant(),
        sa.Column("id", sa.Integer(), nullable=False, comment=of_tenant),
        _text("name"),
        _text("entity", "kind of entity, such as customer"),
        _text("action", "null: only rules read it", nullable=True),
        sa.Column(
            "fields",
            postgresql.ARRAY(sa.Text()),
            nullable=True,
            comment="fields that are looked up; null: every field of the entity",
        ),
        _actor(),
        _change("added_change"),
        _change("removed_change", "null: it is in force"),
        _created_at(),
        sa.CheckConstraint("action IN ('approve', 'decline')", name=op.f("ck_lists_action_known")),
        _of_change("lists", "added_change"),
        _of_change("lists", "removed_change"),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_lists")),
    )
    in_force = sa.text("removed_change IS NULL")
    op.create_index(
        "uq_lists_name", "lists", ["tenant_id", "name"], unique=True, postgresql_where=in_force
    )
    op.create_table(
        "list_entries",
        _tenant(),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("list_id", sa.Integer(), nullable=False),
        _text("value", "the entity, as events have it"),
        sa.Column(
            "digest", sa.LargeBinary(), nullable=False, comment="BLAKE2b of the value, 16 bytes"
        ),
        _text("reason"),
        _actor(),
        sa.Column(
            "expires_at", sa.DateTime(timezone=True), nullable=True, comment="null: it stays"
        ),
        _change("added_change"),
        _change("removed_change", "null: it is in force"),
        _created_at(),
        sa.CheckConstraint("length(digest) = 16", name=op.f("ck_list_entries_digest_length")),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("fk_list_entries_tenant_id_tenants")
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_list_entries")),
    )
    op.create_index(
        "uq_list_entries_digest",
        "list_entries",
        ["tenant_id", "list_id", "digest"],
        unique=True,
        postgresql_where=in_force,
    )
    op.create_index("ix_list_entries_added", "list_entries", ["tenant_id", "added_change"])
    op.create_index(
        "ix_list_entries_removed",
        "list_entries",
        ["tenant_id", "removed_change"],
        postgresql_where=sa.text("removed_change IS NOT NULL"),
    )
    op.create_index("ix_list_entries_digest", "list_entries", ["tenant_id", "digest"])
    op.create_index(
        "ix_list_entries_list",
        "list_entries",
        ["tenant_id", "list_id", "id"],
        postgresql_where=in_force,
    )
