"""Read the past events of entities: one round trip for all entities of a batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Engine

from persistence.decisions.insert_sql import SET_TENANTS_PREPARED
from persistence.pipeline.binary_arrays import BIGINT, BIGINT_OID, TEXT
from persistence.pipeline.libpq import Call, Statement, round_trip
from persistence.raw_connection import PostgresConnection, driver_connection
from scoring.windows.fraud_times import NEVER_US
from scoring.windows.records import EntityPast

_BOOLEAN_OID = 16

_RECENT = """CROSS JOIN LATERAL (
        SELECT count(*) AS events, string_agg(uuid_send(event_id) || record, '') AS records
        FROM entity_events
        WHERE tenant_id = $1 AND entity = g.entity AND key = g.key
            AND time_us >= g.since_us AND time_us < g.until_us
    ) AS e"""

# An aggregate that refers to `g` is looked up entity by entity, whatever the planner estimates.
_READ = Statement(
    b"read_history",
    f"""
    SELECT g.place, s.events, s.records, e.events, e.records, f.frauds
    FROM (
        SELECT unnest($2::text[]) AS entity, unnest($3::text[]) AS key,
            unnest($4::bigint[]) AS since_us, unnest($5::bigint[]) AS until_us,
            unnest($7::bigint[]) AS place
    ) AS g
    CROSS JOIN LATERAL (
        SELECT coalesce(sum(events), 0)::bigint AS events, string_agg(records, '') AS records
        FROM entity_segments
        WHERE tenant_id = $1 AND entity = g.entity AND key = g.key
            AND until_us >= g.since_us AND since_us < g.until_us
    ) AS s
    {_RECENT}
    CROSS JOIN LATERAL (
        SELECT string_agg(uuid_send(event_id) || int8send(known_us), '') AS frauds
        FROM entity_frauds
        WHERE $6 AND tenant_id = $1 AND entity = g.entity AND key = g.key
    ) AS f
    """.encode(),  # noqa: S608 - a constant
    (BIGINT_OID, TEXT.oid, TEXT.oid, BIGINT.oid, BIGINT.oid, _BOOLEAN_OID, BIGINT.oid),
)

# Of an entity whose full segments up to an id are known, with its frauds at that time.
_READ_AFTER = Statement(
    b"read_history_after",
    f"""
    SELECT g.place, s.events, s.records, e.events, e.records, f.frauds, EXISTS (
            SELECT FROM entity_segments
            WHERE tenant_id = $1 AND entity = g.entity AND key = g.key AND id = g.after_id
        ) AS follows
    FROM (
        SELECT unnest($2::text[]) AS entity, unnest($3::text[]) AS key,
            unnest($4::bigint[]) AS since_us, unnest($5::bigint[]) AS until_us,
            unnest($7::bigint[]) AS place, unnest($8::bigint[]) AS after_id,
            unnest($9::bigint[]) AS after_transaction
    ) AS g
    CROSS JOIN LATERAL (
        SELECT coalesce(sum(events), 0)::bigint AS events, string_agg(records, '') AS records
        FROM entity_segments
        WHERE tenant_id = $1 AND entity = g.entity AND key = g.key AND id > g.after_id
            AND until_us >= g.since_us AND since_us < g.until_us
    ) AS s
    {_RECENT}
    CROSS JOIN LATERAL (
        SELECT string_agg(
            uuid_send(changed.event_id) || int8send(coalesce(known.known_us, {NEVER_US})), ''
        ) AS frauds
        FROM (
            SELECT DISTINCT event_id FROM entity_fraud_changes
            WHERE $6 AND tenant_id = $1 AND entity = g.entity AND key = g.key
                AND transaction >= g.after_transaction
        ) AS changed
        LEFT JOIN entity_frauds AS known ON known.tenant_id = $1 AND known.entity = g.entity
            AND known.key = g.key AND known.event_id = changed.event_id
    ) AS f
    """.encode(),  # noqa: S608 - a constant
    (*_READ.types, BIGINT.oid, BIGINT.oid),
)


_FIND_STORED = Statement(
    b"find_stored_ids",
    b"SELECT key FROM idempotency_keys WHERE tenant_id = $1 AND key = ANY($2)",
    (BIGINT_OID, TEXT.oid),
)
_STATEMENTS = (SET_TENANTS_PREPARED, _READ, _READ_AFTER, _FIND_STORED)


class Known(NamedTuple):
    """What is known of an entity already.

    Attributes:
        segment_id: id of the last of its full segments that are known.
        transaction: id from which on transactions may have changed its frauds.
    """

    segment_id: int
    transaction: int


class EntitySpan(NamedTuple):
    """The past of one entity that a batch needs.

    Attributes:
        entity: field that names the entity.
        key: the entity's id.
        since_us: first time, microseconds since 1970.
        until_us: time after the last one.
        known: what is not read; None where all is read.
    """

    entity: str
    key: str
    since_us: int
    until_us: int
    known: Known | None = None


class Past(NamedTuple):
    """What is stored before a batch.

    Attributes:
        entities: past of each entity; of one that is known, the events after those, and of changed
            frauds the time at which they became known, NEVER_US where they are none any more.
        stored_ids: those of the batch's external ids whose events are stored.
        removed: places of the known entities whose events were removed since.
    """

    entities: list[EntityPast]
    stored_ids: frozenset[str]
    removed: frozenset[int]


_NOTHING = EntityPast(0, b"")
_FALSE = b"\0"


def read_history(
    engine: Engine,
    tenant_id: int,
    spans: Sequence[EntitySpan],
    *,
    with_frauds: bool,
    external_ids: Sequence[str] = (),
) -> Past:
    """Return the past of entities, and which events of a batch are stored.

    Args:
        engine: pool that the connection is taken from.
        tenant_id: tenant whose events are read.
        spans: entities, each once, with the span of time that is needed.
        with_frauds: whether frauds are read.
        external_ids: callers' own ids of events that may be stored.

    Raises:
        StoreUnavailable: Postgres is unreachable, or the connection broke.
    """
    with driver_connection(engine) as connection:
        return history_on(
            connection, tenant_id, spans, with_frauds=with_frauds, external_ids=external_ids
        )


def history_on(
    connection: PostgresConnection,
    tenant_id: int,
    spans: Sequence[EntitySpan],
    *,
    with_frauds: bool,
    external_ids: Sequence[str] = (),
) -> Past:
    """Do as `read_history` does, on a connection or in its open transaction.

    Raises:
        psycopg.Error: Postgres refuses the statement, or the connection broke.
    """
    tenant = tenant_id.to_bytes(8)
    whole = [place for place, span in enumerate(spans) if span.known is None]
    rest = [(place, span.known) for place, span in enumerate(spans) if span.known is not None]

    def columns(places: Sequence[int]) -> list[bytes]:
        return [
            tenant,
            TEXT.encode([spans[place].entity for place in places]),
            TEXT.encode([spans[place].key for place in places]),
            BIGINT.encode([spans[place].since_us for place in places]),
            BIGINT.encode([spans[place].until_us for place in places]),
            bytes([with_frauds]),
            BIGINT.encode(places),
        ]

    calls: list[Call] = [(SET_TENANTS_PREPARED, [str(tenant_id).encode()])]
    if whole:
        calls.append((_READ, columns(whole)))
    if rest:
        known = [
            BIGINT.encode([known.segment_id for _, known in rest]),
            BIGINT.encode([known.transaction for _, known in rest]),
        ]
        calls.append((_READ_AFTER, [*columns([place for place, _ in rest]), *known]))
    if external_ids:
        calls.append((_FIND_STORED, [tenant, TEXT.encode(external_ids)]))
    entities = [_NOTHING] * len(spans)
    removed = set()
    stored: list[bytes | None] = []
    for (statement, _), rows in zip(calls, round_trip(connection, _STATEMENTS, calls), strict=True):
        for row in range(rows.ntuples):
            values = [rows.get_value(row, column) for column in range(rows.nfields)]
            if statement is _FIND_STORED:
                stored += values
            elif statement is not SET_TENANTS_PREPARED:
                place = int.from_bytes(values[0] or b"")
                entities[place] = _past(values[1:6])
                if values[6:] == [_FALSE]:
                    removed.add(place)
    ids = frozenset(key.decode() for key in stored if key is not None)
    return Past(entities, ids, frozenset(removed))


def _past(values: Sequence[bytes | None]) -> EntityPast:
    in_segments, segments, recent, events, frauds = values
    recent_count = int.from_bytes(recent or b"")
    return EntityPast(
        int.from_bytes(in_segments or b"") + recent_count,
        (segments or b"") + (events or b""),
        frauds or b"",
        recent_count,
    )
