"""Store past events of entities that were never scored here, as segments of their entities.

An event that is stored already is not stored again, but gets the label that it comes with: a fraud
that was found later, or one that was withdrawn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import groupby
from operator import add
from typing import NamedTuple, cast

from sqlalchemy import Connection, Engine, text

from persistence.actor import Actor
from persistence.history.folding import merge_small_segments
from persistence.history.full_segments import FULL_EVENTS
from persistence.history.reader import EntitySpan, history_on
from persistence.raw_connection import PostgresConnection
from persistence.tenancy import tenant_transaction
from scoring.windows.fraud_times import FRAUD_BYTES
from scoring.windows.records import ID_BYTES, event_ids

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
_FORGET_FRAUDS = """
DELETE FROM entity_frauds f USING
    (SELECT unnest(%b::text[]), unnest(%b::text[]), encode(unnest(%b::bytea[]), 'hex')::uuid)
    AS g (entity, key, event_id)
WHERE f.tenant_id = %s AND (f.entity, f.key, f.event_id) = (g.entity, g.key, g.event_id)
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
        is_labelled: whether it comes with a label; without one, what is stored of it stays.
    """

    entity: str
    key: str
    time_us: int
    event_id: bytes
    record: bytes
    fraud_known_us: int | None
    is_labelled: bool = True


class StoredPast(NamedTuple):
    """Numbers of an import, in past events.

    Attributes:
        new: those that were not stored before.
        new_frauds: those that were stored, and are frauds from now on.
        withdrawn_frauds: those that were stored as frauds, and are none any more.
        moved_frauds: those that were stored as frauds, and became known at another time.
    """

    new: int = 0
    new_frauds: int = 0
    withdrawn_frauds: int = 0
    moved_frauds: int = 0


def import_history(
    engine: Engine,
    tenant_id: int,
    batches: Iterable[Sequence[PastEvent]],
    actor: Actor,
    progress: Callable[[int, int], None] = lambda _rows, _stored: None,
) -> StoredPast:
    """Store past events and the labels of those that are stored, each batch in a transaction.

    Files that are imported one after the other leave a small segment of an entity each; they are
    merged at the end.

    Args:
        engine: pool of connections: of the owner of the tables, or, as long as no fraud is
            withdrawn or moved, of the service.
        tenant_id: tenant whose events they are.
        batches: past events in the order of entity, key and time.
        actor: who imports them.
        progress: function that receives the numbers of rows so far: read, and new ones.

    Raises:
        StoreUnavailable: Postgres is unreachable or the connection broke; earlier batches stay
            stored.
    """
    read = 0
    stored = StoredPast()
    for batch in batches:
        with tenant_transaction(engine, tenant_id, actor=actor) as connection:
            connection.execute(_LOCK, {"tenant_id": tenant_id})
            known = _known(connection, tenant_id, batch)
            counts = _store(connection, tenant_id, batch, known)
        read += len(batch)
        stored = StoredPast(*map(add, stored, counts))
        progress(read, stored.new)
    merge_small_segments(engine, tenant_id)
    return stored


class _Known(NamedTuple):
    """Ids of the stored events of an entity, and when some became known as frauds."""

    event_ids: frozenset[bytes]
    fraud_known_us: Mapping[bytes, int]


_NOTHING = _Known(frozenset(), {})


def _known(
    connection: Connection, tenant_id: int, batch: Sequence[PastEvent]
) -> dict[tuple[str, str], _Known]:
    """Return what is stored of the entities of a batch, within the time of its events."""
    spans = [
        EntitySpan(entity, key, (events := list(group))[0].time_us, events[-1].time_us + 1)
        for (entity, key), group in groupby(batch, key=_entity)
    ]
    past = history_on(_driver(connection), tenant_id, spans, with_frauds=True).entities
    return {
        (span.entity, span.key): _Known(
            event_ids(found.records, found.events), _fraud_times(found.frauds)
        )
        for span, found in zip(spans, past, strict=True)
        if found.events
    }


def _store(
    connection: Connection,
    tenant_id: int,
    batch: Sequence[PastEvent],
    known: Mapping[tuple[str, str], _Known],
) -> StoredPast:
    events: list[PastEvent] = []
    frauds: list[PastEvent] = []
    outdated: list[PastEvent] = []
    moved = 0
    for one in batch:
        of_entity = known.get(_entity(one), _NOTHING)
        before = None
        if one.event_id not in of_entity.event_ids:
            events.append(one)
        elif one.is_labelled:
            before = of_entity.fraud_known_us.get(one.event_id)
        else:
            continue
        if one.fraud_known_us == before:
            continue
        if before is not None:
            outdated.append(one)
        if one.fraud_known_us is not None:
            frauds.append(one)
            moved += before is not None
    with _driver(connection).cursor() as cursor:
        if events:
            cursor.execute(_STORE_SEGMENTS, (tenant_id, *_columns(_segments(events))))
        if outdated:
            ids = [(one.entity, one.key, one.event_id) for one in outdated]
            cursor.execute(_FORGET_FRAUDS, (*_columns(ids), tenant_id))
        if frauds:
            times = [(one.entity, one.key, one.event_id, one.fraud_known_us) for one in frauds]
            cursor.execute(_STORE_FRAUDS, (tenant_id, *_columns(times)))
    of_new = sum(one.fraud_known_us is not None for one in events)
    return StoredPast(len(events), len(frauds) - moved - of_new, len(outdated) - moved, moved)


def _segments(events: Sequence[PastEvent]) -> list[tuple[str, str, int, int, int, bytes]]:
    return [
        (entity, key, part[0].time_us, part[-1].time_us, len(part), _records(part))
        for (entity, key), group in groupby(events, key=_entity)
        for of_entity in [list(group)]
        for start in range(0, len(of_entity), FULL_EVENTS)
        for part in [of_entity[start : start + FULL_EVENTS]]
    ]


def _fraud_times(frauds: bytes) -> dict[bytes, int]:
    """Return when events became known as frauds, by id; see `EntityPast.frauds`."""
    return {
        frauds[at : at + ID_BYTES]: int.from_bytes(frauds[at + ID_BYTES : at + FRAUD_BYTES])
        for at in range(0, len(frauds), FRAUD_BYTES)
    }


def _records(events: Sequence[PastEvent]) -> bytes:
    return b"".join([part for one in events for part in (one.event_id, one.record)])


def _columns(rows: Sequence[tuple[object, ...]]) -> list[list[object]]:
    return [list(column) for column in zip(*rows, strict=True)]


def _entity(event: PastEvent) -> tuple[str, str]:
    return event.entity, event.key


def _driver(connection: Connection) -> PostgresConnection:
    return cast("PostgresConnection", connection.connection.driver_connection)
