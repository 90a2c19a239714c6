"""Keep the order of segments and of changes of frauds, so that a process reads what is new to it.

A process that keeps an entity's past events reads only the segments and the changes after those
that it has. For that the ids of an entity's full segments ascend in the order of their commits:
whoever writes segments holds a lock until its transaction ends. `fold_entity_events` leaves an
entity alone whose lock is held; it is called again with the entity's next event.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

SERVICE = "sentinel_service"

OF_THIS_TRANSACTION = """tenant_id = ANY ((SELECT string_to_array(
    nullif(current_setting('sentinel.tenant_ids', true), ''), ','))::bigint[])"""

SECURE = f"""
ALTER TABLE entity_fraud_changes ENABLE ROW LEVEL SECURITY;
ALTER TABLE entity_fraud_changes FORCE ROW LEVEL SECURITY;
CREATE POLICY of_tenant ON entity_fraud_changes USING ({OF_THIS_TRANSACTION});
GRANT SELECT, INSERT ON entity_fraud_changes TO {SERVICE};
"""

# A transaction that a snapshot does not see has an id from the snapshot's xmin on.
RECORD = """
CREATE FUNCTION record_entity_fraud_change() RETURNS trigger LANGUAGE plpgsql
SET search_path FROM CURRENT AS $$
DECLARE
    changed entity_frauds := coalesce(NEW, OLD);
BEGIN
    INSERT INTO entity_fraud_changes (tenant_id, entity, key, transaction, event_id)
    VALUES (changed.tenant_id, changed.entity, changed.key,
        pg_current_xact_id()::text::bigint, changed.event_id)
    ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;
CREATE TRIGGER entity_fraud_changes AFTER INSERT OR UPDATE OR DELETE ON entity_frauds
FOR EACH ROW EXECUTE FUNCTION record_entity_fraud_change();
"""

MOVE = f"""
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
"""  # noqa: S608 - constants of this file

ARGUMENTS = "fold_entity_events(of_tenant bigint, of_entity text, of_key text) RETURNS void"

FOLD = f"""
CREATE OR REPLACE FUNCTION {ARGUMENTS}
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    IF pg_try_advisory_xact_lock_shared(hashtextextended('history import', of_tenant))
        AND pg_try_advisory_xact_lock(
            hashtextextended(jsonb_build_array('fold', of_entity, of_key)::text, of_tenant))
    THEN
        {MOVE};
    END IF;
END $$;
"""

FOLD_BEFORE = f"""
CREATE OR REPLACE FUNCTION {ARGUMENTS}
LANGUAGE sql SECURITY DEFINER SET search_path FROM CURRENT AS $${MOVE}$$;
"""


def upgrade() -> None:
    op.create_table(
        "entity_fraud_changes",
        sa.Column("tenant_id", sa.BigInteger(), nullable=False),
        sa.Column("entity", sa.Text(), nullable=False, comment="field that names the entity"),
        sa.Column("key", sa.Text(), nullable=False, comment="the entity's id"),
        sa.Column(
            "transaction",
            sa.BigInteger(),
            nullable=False,
            comment="pg_current_xact_id() of the change",
        ),
        sa.Column("event_id", sa.Uuid(), nullable=False, comment="id of the past event"),
        sa.Column(
            "changed_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False
        ),
        sa.PrimaryKeyConstraint(
            "tenant_id",
            "entity",
            "key",
            "transaction",
            "event_id",
            name=op.f("pk_entity_fraud_changes"),
        ),
    )
    op.execute(SECURE)
    op.execute(RECORD)
    op.execute(FOLD)


def downgrade() -> None:
    op.execute(FOLD_BEFORE)
    op.execute("DROP TRIGGER entity_fraud_changes ON entity_frauds")
    op.execute("DROP FUNCTION record_entity_fraud_change()")
    op.drop_table("entity_fraud_changes")
