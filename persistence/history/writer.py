"""Store past events of entities that were never scored here, as segments of their entities.

An event that is stored already is not stored again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from typing import NamedTuple, cast

from sqlalchemy import Connection, Engine, text

from persistence.actor import Actor
from persistence.history.folding import merge_small_segments
from persistence.history.reader import EntitySpan, history_on
from persistence.raw_connection import PostgresConnection
from persistence.tenancy import tenant_transaction
from scoring.windows.records import event_ids

_SEGMENT_EVENTS = 128
"""As many as `fold_entity_events` gives a segment."""

# Two imports of one file at once would not see each other's events.
_LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended('history import', :tenant_id))")
_STORE_SEGMENTS = """
INSERT INTO entity_segments (tenant_id, entity, key, since_us, until_us, events, records)
SELECT %s, unnest(%b::text[]), unnest(%b::text[]), unnest(%b::bigint[]), unnest(%b::bigint[]),
    unnest(%b::int[]), unnest(%b::bytea[])
"""
_STORE_FRAUDS = """
INSERT INTO entity_frauds (tenant_id, entity, key, event_id, known_us)
SELECT %s, unnest(%b::text[]), unnest(%b::text[]), encode(unnest(%b::bytea[]), 'hex')::uuid,
    unnest(%b::bigint[])
ON CONFLICT DO NOTHING
"""


class PastEvent(NamedTuple):
    """An event as a past event of one of its entities.

    Attributes:
        entity: field that names the entity.
        key: the entity's id.
        time_us: the event's own time, microseconds since 1970.
        event_id: 16 bytes of a UUID that is no UUIDv7, as those of decisions are.
        record: the event's fields, see `scoring.event_type.records`.
        fraud_known_us: time at which it became known as a fraud; None where it did not.
    """

    entity: str
    key: str
    time_us: int
    event_id: bytes
    record: bytes
    fraud_known_us: int | None


def import_history(
    engine: Engine,
    tenant_id: int,
    batches: Iterable[Sequence[PastEvent]],
    actor: Actor,
    progress: Callable[[int, int], None] = lambda _rows, _stored: None,
) -> int:
    """Store past events, each batch in a transaction of its own; return how many are new.

    Files that are imported one after the other leave a small segment of an entity each; they are
    merged at the end.

    Args:
        engine: pool of connections.
        tenant_id: tenant whose events they are.
        batches: past events in the order of entity, key and time.
        actor: who imports them.
        progress: function that receives the numbers of rows so far: read, and new ones.

    Raises:
        StoreUnavailable: Postgres is unreachable or the connection broke; earlier batches stay
            stored.
    """
    read = stored = 0
    for batch in batches:
        with tenant_transaction(engine, tenant_id, actor=actor) as connection:
            connection.execute(_LOCK, {"tenant_id": tenant_id})
            new = _unknown(connection, tenant_id, batch)
            _store(connection, tenant_id, new)
        read += len(batch)
        stored += len(new)
        progress(read, stored)
    merge_small_segments(engine, tenant_id)
    return stored


def _unknown(
    connection: Connection, tenant_id: int, batch: Sequence[PastEvent]
) -> Sequence[PastEvent]:
    """Return the events that are not stored."""
    spans = [
        EntitySpan(entity, key, (events := list(group))[0].time_us, events[-1].time_us + 1)
        for (entity, key), group in groupby(batch, key=_entity)
    ]
    past = history_on(_driver(connection), tenant_id, spans, with_frauds=False).entities
    known = {
        (span.entity, span.key): event_ids(found.records, found.events)
        for span, found in zip(spans, past, strict=True)
        if found.events
    }
    if not known:
        return batch
    nothing: frozenset[bytes] = frozenset()
    return [one for one in batch if one.event_id not in known.get(_entity(one), nothing)]


def _store(connection: Connection, tenant_id: int, events: Sequence[PastEvent]) -> None:
    segments = [
        (entity, key, part[0].time_us, part[-1].time_us, len(part), _records(part))
        for (entity, key), group in groupby(events, key=_entity)
        for of_entity in [list(group)]
        for start in range(0, len(of_entity), _SEGMENT_EVENTS)
        for part in [of_entity[start : start + _SEGMENT_EVENTS]]
    ]
    frauds = [
        (one.entity, one.key, one.event_id, one.fraud_known_us)
        for one in events
        if one.fraud_known_us is not None
    ]
    with _driver(connection).cursor() as cursor:
        if segments:
            cursor.execute(_STORE_SEGMENTS, (tenant_id, *map(list, zip(*segments, strict=True))))
        if frauds:
            cursor.execute(_STORE_FRAUDS, (tenant_id, *map(list, zip(*frauds, strict=True))))


def _records(events: Sequence[PastEvent]) -> bytes:
    return b"".join([part for one in events for part in (one.event_id, one.record)])


def _entity(event: PastEvent) -> tuple[str, str]:
    return event.entity, event.key


def _driver(connection: Connection) -> PostgresConnection:
    return cast("PostgresConnection", connection.connection.driver_connection)
