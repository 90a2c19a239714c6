"""Store past events of entities that were never scored here.

Row-level security refuses COPY into the table itself, so rows are copied into a temporary table and
inserted from there; a row that is stored already is left as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, cast

from sqlalchemy import Connection, Engine

from persistence.actor import Actor
from persistence.raw_connection import PostgresConnection
from persistence.tenancy import tenant_transaction

# The sequence of the rows is that of the primary key, in which the index grows fastest.
_STAGE = """
CREATE TEMPORARY TABLE imported_events (
    entity text, key text, time_us bigint, event_id uuid, fields text, fraud_known_us bigint
) ON COMMIT DROP
"""
_COPY = "COPY imported_events FROM STDIN"
_STORE = """
INSERT INTO entity_events (tenant_id, entity, key, time_us, event_id, fields, fraud_known_us)
SELECT %s, entity, key, time_us, event_id, fields, fraud_known_us FROM imported_events
ON CONFLICT DO NOTHING
"""


class PastEvent(NamedTuple):
    """An event as a past event of one of its entities.

    Attributes:
        entity: field that names the entity.
        key: the entity's id, without control characters.
        time_us: the event's own time, microseconds since 1970.
        event_id: hexadecimal digits of a UUID that is no UUIDv7, as those of decisions are.
        fields: the event's fields, as JSON on one line.
        fraud_known_us: time at which it became known as a fraud; None where it did not.
    """

    entity: str
    key: str
    time_us: int
    event_id: str
    fields: str
    fraud_known_us: int | None


def import_history(
    engine: Engine,
    tenant_id: int,
    batches: Iterable[Sequence[PastEvent]],
    actor: Actor,
    progress: Callable[[int, int], None] = lambda _rows, _stored: None,
) -> int:
    """Store past events, each batch in a transaction of its own; return how many are new.

    Args:
        engine: pool of connections.
        tenant_id: tenant whose events they are.
        batches: past events, best in the order of entity, key and time.
        actor: who imports them.
        progress: function that receives the numbers of rows so far: read, and new ones.

    Raises:
        StoreUnavailable: Postgres is unreachable or the connection broke; earlier batches stay
            stored.
    """
    read = stored = 0
    for batch in batches:
        with tenant_transaction(engine, tenant_id, actor=actor) as connection:
            stored += _store(connection, tenant_id, batch)
        read += len(batch)
        progress(read, stored)
    return stored


def _store(connection: Connection, tenant_id: int, batch: Sequence[PastEvent]) -> int:
    driver = cast("PostgresConnection", connection.connection.driver_connection)
    with driver.cursor() as cursor:
        cursor.execute(_STAGE)
        with cursor.copy(_COPY) as copy:
            copy.write("".join(map(_line, batch)))
        cursor.execute(_STORE, (tenant_id,))
        return cursor.rowcount


def _line(event: PastEvent) -> str:
    """Return a row in the text format of COPY, where a backslash alone needs an escape here."""
    entity, key, time_us, event_id, fields, known_us = event
    known = r"\N" if known_us is None else known_us
    if "\\" in fields or "\\" in key or "\\" in entity:
        entity, key, fields = (text.replace("\\", r"\\") for text in (entity, key, fields))
    return f"{entity}\t{key}\t{time_us}\t{event_id}\t{fields}\t{known}\n"
