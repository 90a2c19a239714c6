"""Add the past events of entities, from which windows are read."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

SERVICE = "sentinel_service"

OF_THIS_TRANSACTION = """tenant_id = ANY ((SELECT string_to_array(
    nullif(current_setting('sentinel.tenant_ids', true), ''), ','))::bigint[])"""

SECURE = f"""
ALTER TABLE entity_events ENABLE ROW LEVEL SECURITY;
ALTER TABLE entity_events FORCE ROW LEVEL SECURITY;
CREATE POLICY of_tenant ON entity_events USING ({OF_THIS_TRANSACTION});
GRANT SELECT, INSERT ON entity_events TO {SERVICE};
"""

# The label that counts (`scoring.labels.effective_label`) decides whether a past event is a fraud
# to the windows of later ones, from the time on at which it became known. The event's entities are
# looked up by its event type, so that the table needs no index by event.
LABEL = """
CREATE FUNCTION label_entity_events() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path FROM CURRENT AS $$
BEGIN
    UPDATE entity_events e
    SET fraud_known_us = (
        WITH known AS (
            SELECT DISTINCT ON (source) source, label, reversed, occurred_at FROM labels
            WHERE tenant_id = NEW.tenant_id AND transaction_id = NEW.transaction_id
            ORDER BY source, occurred_at DESC, id DESC
        ), effective AS (
            SELECT label, occurred_at FROM known WHERE NOT reversed
            ORDER BY label = 'escalated', array_position(
                ARRAY['chargeback', 'analyst', 'customer', 'rule', 'import'], source)
            LIMIT 1
        )
        SELECT CASE WHEN label = 'fraud' THEN (extract(epoch FROM occurred_at) * 1000000)::bigint
            END FROM effective
    )
    FROM transactions t
    JOIN event_types y ON y.tenant_id = t.tenant_id AND y.id = t.event_type_id
    CROSS JOIN LATERAL json_each(y.document->'fields') f
    WHERE t.tenant_id = NEW.tenant_id AND t.id = NEW.transaction_id
        AND f.value->>'kind' = 'entity'
        AND e.tenant_id = t.tenant_id AND e.entity = f.key AND e.key = t.fields->>f.key
        AND e.event_id = t.id;
    RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION label_entity_events() FROM PUBLIC;
CREATE TRIGGER entity_events AFTER INSERT ON labels
FOR EACH ROW EXECUTE FUNCTION label_entity_events();
"""


def upgrade() -> None:
    op.create_table(
        "entity_events",
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("entity", sa.Text(), nullable=False, comment="field that names the entity"),
        sa.Column("key", sa.Text(), nullable=False, comment="the entity's id"),
        sa.Column(
            "time_us",
            sa.BigInteger(),
            nullable=False,
            comment="the event's own time, microseconds since 1970",
        ),
        sa.Column("event_id", sa.Uuid(), nullable=False, comment="UUIDv7 of the transaction"),
        sa.Column("fields", sa.Text(), nullable=False, comment="the event's fields, as JSON"),
        sa.Column(
            "fraud_known_us",
            sa.BigInteger(),
            nullable=True,
            comment="when it became known as a fraud, microseconds since 1970; null: it did not",
        ),
        sa.PrimaryKeyConstraint(
            "tenant_id", "entity", "key", "time_us", "event_id", name=op.f("pk_entity_events")
        ),
    )
    op.execute(SECURE)
    op.execute(LABEL)


def downgrade() -> None:
    op.execute("DROP TRIGGER entity_events ON labels")
    op.execute("DROP FUNCTION label_entity_events()")
    op.drop_table("entity_events")
