"""Add the past events of entities, from which windows are read."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

SERVICE = "sentinel_service"

OF_THIS_TRANSACTION = """tenant_id = ANY ((SELECT string_to_array(
    nullif(current_setting('sentinel.tenant_ids', true), ''), ','))::bigint[])"""

TABLES = ("entity_events", "entity_segments", "entity_frauds")

SECURE = "".join(
    f"""
ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;
ALTER TABLE {table} FORCE ROW LEVEL SECURITY;
CREATE POLICY of_tenant ON {table} USING ({OF_THIS_TRANSACTION});
GRANT SELECT, INSERT ON {table} TO {SERVICE};
"""
    for table in TABLES
)

# Most of an entity's events stand in few rows, which are read and compressed together; they are
# written once for many events (docs/decisions/0014-windows.md). The function names the tenants of the
# transaction itself, since row-level security does not hold for an owner who is a superuser.
FOLD = f"""
CREATE FUNCTION fold_entity_events(of_tenant bigint, of_entity text, of_key text) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path FROM CURRENT AS $$
WITH moved AS (
    DELETE FROM entity_events
    WHERE tenant_id = of_tenant AND entity = of_entity AND key = of_key AND {OF_THIS_TRANSACTION}
    RETURNING time_us, event_id, record
), opened AS (
    DELETE FROM entity_segments
    WHERE tenant_id = of_tenant AND entity = of_entity AND key = of_key AND events < 128
        AND {OF_THIS_TRANSACTION}
    RETURNING since_us, until_us, events, records
)
INSERT INTO entity_segments (tenant_id, entity, key, since_us, until_us, events, records)
SELECT of_tenant, of_entity, of_key, min(since_us), max(until_us), sum(events),
    string_agg(records, ''::bytea ORDER BY since_us)
FROM (
    SELECT since_us, until_us, events, records FROM opened
    UNION ALL SELECT time_us, time_us, 1, uuid_send(event_id) || record FROM moved
) AS parts
HAVING count(*) > 0
$$;
REVOKE ALL ON FUNCTION fold_entity_events(bigint, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION fold_entity_events(bigint, text, text) TO {SERVICE};
"""  # noqa: S608 - constants of this file

# The label that counts (`scoring.labels.effective_label`) decides whether a past event is a fraud
# to the windows of later ones, from the time on at which it became known.
LABEL = """
CREATE FUNCTION label_entity_events() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path FROM CURRENT AS $$
DECLARE
    fraud_known_us bigint;
BEGIN
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
    SELECT (extract(epoch FROM occurred_at) * 1000000)::bigint INTO fraud_known_us
    FROM effective WHERE label = 'fraud';
    DELETE FROM entity_frauds f
    USING transactions t
    JOIN event_types y ON y.tenant_id = t.tenant_id AND y.id = t.event_type_id
    CROSS JOIN LATERAL json_each(y.document->'fields') e
    WHERE t.tenant_id = NEW.tenant_id AND t.id = NEW.transaction_id
        AND e.value->>'kind' = 'entity'
        AND f.tenant_id = t.tenant_id AND f.entity = e.key AND f.key = t.fields->>e.key
        AND f.event_id = t.id;
    INSERT INTO entity_frauds (tenant_id, entity, key, event_id, known_us)
    SELECT t.tenant_id, e.key, t.fields->>e.key, t.id, fraud_known_us
    FROM transactions t
    JOIN event_types y ON y.tenant_id = t.tenant_id AND y.id = t.event_type_id
    CROSS JOIN LATERAL json_each(y.document->'fields') e
    WHERE fraud_known_us IS NOT NULL
        AND t.tenant_id = NEW.tenant_id AND t.id = NEW.transaction_id
        AND e.value->>'kind' = 'entity' AND t.fields->>e.key IS NOT NULL;
    RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION label_entity_events() FROM PUBLIC;
CREATE TRIGGER entity_events AFTER INSERT ON labels
FOR EACH ROW EXECUTE FUNCTION label_entity_events();
"""


def entity_columns() -> list[sa.Column[Any]]:
    """Return the columns that each table of entities begins with."""
    return [
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("entity", sa.Text(), nullable=False, comment="field that names the entity"),
        sa.Column("key", sa.Text(), nullable=False, comment="the entity's id"),
    ]


def upgrade() -> None:
    op.create_table(
        "entity_events",
        *entity_columns(),
        sa.Column(
            "time_us",
            sa.BigInteger(),
            nullable=False,
            comment="the event's own time, microseconds since 1970",
        ),
        sa.Column("event_id", sa.Uuid(), nullable=False, comment="UUIDv7 of the transaction"),
        sa.Column(
            "record", sa.LargeBinary(), nullable=False, comment="the event's fields, as MessagePack"
        ),
        sa.PrimaryKeyConstraint(
            "tenant_id", "entity", "key", "time_us", "event_id", name=op.f("pk_entity_events")
        ),
    )
    op.create_table(
        "entity_segments",
        *entity_columns(),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column(
            "since_us", sa.BigInteger(), nullable=False, comment="time of the earliest event"
        ),
        sa.Column("until_us", sa.BigInteger(), nullable=False, comment="time of the latest event"),
        sa.Column("events", sa.Integer(), nullable=False, comment="number of events"),
        sa.Column(
            "records",
            sa.LargeBinary(),
            nullable=False,
            comment="each event's id, 16 bytes, and record",
        ),
        sa.PrimaryKeyConstraint(
            "tenant_id", "entity", "key", "id", name=op.f("pk_entity_segments")
        ),
    )
    # Compressed to a fifth, and kept in the row as far as a page holds it.
    op.execute("ALTER TABLE entity_segments ALTER records SET STORAGE MAIN")
    op.create_table(
        "entity_frauds",
        *entity_columns(),
        sa.Column("event_id", sa.Uuid(), nullable=False, comment="id of the past event"),
        sa.Column(
            "known_us",
            sa.BigInteger(),
            nullable=False,
            comment="when it became known as a fraud, microseconds since 1970",
        ),
        sa.PrimaryKeyConstraint(
            "tenant_id", "entity", "key", "event_id", name=op.f("pk_entity_frauds")
        ),
    )
    op.execute(SECURE)
    op.execute(FOLD)
    op.execute(LABEL)


def downgrade() -> None:
    op.execute("DROP TRIGGER entity_events ON labels")
    op.execute("DROP FUNCTION label_entity_events()")
    op.execute("DROP FUNCTION fold_entity_events(bigint, text, text)")
    for table in reversed(TABLES):
        op.drop_table(table)
