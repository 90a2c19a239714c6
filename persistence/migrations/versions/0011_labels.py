"""Add labels of any source; feedback becomes the labels of the source `analyst`.

A trigger stores each feedback as a label, so that a process of the release before, which knows only
feedback, loses none during a rolling update.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

TABLE = "labels"
SERVICE = "sentinel_service"

OF_THIS_TRANSACTION = """tenant_id = ANY ((SELECT string_to_array(
    nullif(current_setting('sentinel.tenant_ids', true), ''), ','))::bigint[])"""

SEE_ALL_TENANTS = """
SELECT set_config('sentinel.tenant_ids',
    (SELECT coalesce(string_agg(id::text, ','), '') FROM tenants), true)
"""

LABEL_OF_FEEDBACK = """CASE {label} WHEN 'confirmed_fraud' THEN 'fraud'
    WHEN 'false_positive' THEN 'legitimate' ELSE {label} END"""

# Of one case the feedback with the greatest id is the latest. Its transaction may have begun before
# that of an earlier one, so its time is moved after that of the earlier one. The function runs as
# its owner, who alone may write `feedback_id`.
STORE_FEEDBACK = f"""
CREATE FUNCTION store_feedback_as_label() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path FROM CURRENT AS $$
BEGIN
    INSERT INTO labels
        (tenant_id, transaction_id, label, source, occurred_at, actor, feedback_id, created_at)
    SELECT NEW.tenant_id, NEW.transaction_id, {LABEL_OF_FEEDBACK.format(label="NEW.label")},
        'analyst', greatest(NEW.created_at, max(occurred_at) + interval '1 microsecond'),
        NEW.actor, NEW.id, NEW.created_at
    FROM labels WHERE tenant_id = NEW.tenant_id AND transaction_id = NEW.transaction_id
        AND source = 'analyst' AND feedback_id IS NOT NULL;
    RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION store_feedback_as_label() FROM PUBLIC;
CREATE TRIGGER label AFTER INSERT ON feedback
    FOR EACH ROW EXECUTE FUNCTION store_feedback_as_label();
"""  # noqa: S608 - constants of this file, here and below

# The trigger holds back new feedback until this transaction ends, so none is left out.
STORE_EARLIER_FEEDBACK = f"""
INSERT INTO labels
    (tenant_id, transaction_id, label, source, occurred_at, actor, feedback_id, created_at)
SELECT tenant_id, transaction_id, {LABEL_OF_FEEDBACK.format(label="label")}, 'analyst',
    max(created_at) OVER (PARTITION BY tenant_id, transaction_id ORDER BY id),
    actor, id, created_at
FROM feedback ORDER BY id
"""  # noqa: S608

# One entry a statement: an entry a label makes 20,000 labels take 1.6 s instead of 0.7 s, and each
# label keeps its own actor and time. Feedback is audited as such.
AUDIT = """
CREATE FUNCTION audit_labels() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path FROM CURRENT AS $$
BEGIN
    INSERT INTO audit_log (tenant_id, actor, action, before, after, via, object)
    SELECT tenant_id,
        coalesce(nullif(current_setting('sentinel.actor', true), ''), session_user),
        CASE TG_OP WHEN 'INSERT' THEN 'label.created' ELSE 'label.removed' END,
        CASE TG_OP WHEN 'DELETE' THEN summary END, CASE TG_OP WHEN 'INSERT' THEN summary END,
        nullif(current_setting('sentinel.via', true), ''), 'labels'
    FROM (
        SELECT tenant_id, jsonb_build_object('count', sum(count), 'first_id', min(first_id),
            'last_id', max(last_id), 'sources', jsonb_object_agg(source, count)) AS summary
        FROM (
            SELECT tenant_id, source, count(*) AS count, min(id) AS first_id, max(id) AS last_id
            FROM touched WHERE feedback_id IS NULL GROUP BY tenant_id, source
        ) AS by_source
        GROUP BY tenant_id
    ) AS by_tenant;
    RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION audit_labels() FROM PUBLIC;
CREATE TRIGGER audit_insert AFTER INSERT ON labels REFERENCING NEW TABLE AS touched
    FOR EACH STATEMENT EXECUTE FUNCTION audit_labels();
CREATE TRIGGER audit_delete AFTER DELETE ON labels REFERENCING OLD TABLE AS touched
    FOR EACH STATEMENT EXECUTE FUNCTION audit_labels();
CREATE TRIGGER audit_update AFTER UPDATE ON labels
    FOR EACH ROW EXECUTE FUNCTION audit_change('label');
"""


def _audit_object(nouns: str) -> str:
    """Return the function of revision 0006 with further nouns of a transaction."""
    return f"""
        CREATE OR REPLACE FUNCTION audit_object(noun text, item jsonb) RETURNS text
        LANGUAGE sql IMMUTABLE
        RETURN CASE
            WHEN noun = 'tenant' THEN 'tenants/' || (item->>'slug')
            WHEN noun = 'key' THEN 'keys/' || (item->>'prefix')
            WHEN noun IN ({nouns}) THEN 'transactions/' || (item->>'transaction_id')
            WHEN noun = 'policy' THEN 'policy'
            ELSE 'models/' || (item->>'name') || '/' || (item->>'version') END
    """


def upgrade() -> None:
    op.create_table(
        TABLE,
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("transaction_id", sa.Uuid(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column(
            "reversed",
            sa.Boolean(),
            server_default=sa.text("false"),
            nullable=False,
            comment="withdraws the source's earlier label",
        ),
        sa.Column(
            "occurred_at",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="when it became known",
        ),
        sa.Column("amount_lost", sa.Double(), nullable=True, comment="money; null: not known"),
        sa.Column(
            "actor",
            sa.Text(),
            nullable=False,
            comment="name of the API key, or the user of a command",
        ),
        sa.Column(
            "feedback_id",
            sa.BigInteger(),
            nullable=True,
            comment="feedback that a trigger stored as this label",
        ),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "label IN ('fraud', 'legitimate', 'escalated')", name=op.f("ck_labels_label_known")
        ),
        sa.CheckConstraint(
            "source IN ('chargeback', 'analyst', 'customer', 'rule', 'import')",
            name=op.f("ck_labels_source_known"),
        ),
        sa.CheckConstraint("amount_lost >= 0", name=op.f("ck_labels_amount_lost_not_negative")),
        sa.CheckConstraint(
            "label <> 'escalated' OR feedback_id IS NOT NULL",
            name=op.f("ck_labels_escalated_by_feedback"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("fk_labels_tenant_id_tenants")
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_labels")),
        sa.UniqueConstraint(
            "tenant_id",
            "transaction_id",
            "source",
            "occurred_at",
            "label",
            "reversed",
            "feedback_id",
            name="uq_labels_of_event",
            postgresql_nulls_not_distinct=True,
        ),
    )
    op.execute(f"ALTER TABLE {TABLE} ENABLE ROW LEVEL SECURITY")
    op.execute(f"ALTER TABLE {TABLE} FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY of_tenant ON {TABLE} USING ({OF_THIS_TRANSACTION})")
    op.execute(
        f"GRANT SELECT, INSERT (tenant_id, transaction_id, label, source, reversed, occurred_at,"
        f" amount_lost, actor) ON {TABLE} TO {SERVICE}"
    )
    op.execute(SEE_ALL_TENANTS)
    op.execute(STORE_FEEDBACK)
    op.execute(STORE_EARLIER_FEEDBACK)
    op.execute(_audit_object("'feedback', 'label'"))
    op.execute(AUDIT)


def downgrade() -> None:
    op.execute("DROP TRIGGER label ON feedback")
    op.drop_table(TABLE)
    op.execute("DROP FUNCTION store_feedback_as_label()")
    op.execute("DROP FUNCTION audit_labels()")
    op.execute(_audit_object("'feedback'"))
