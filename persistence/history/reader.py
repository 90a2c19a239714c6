"""Read the past events of entities: one round trip for all entities of a batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Engine

from persistence.decisions.insert_sql import SET_TENANTS_PREPARED
from persistence.pipeline.binary_arrays import BIGINT, BIGINT_OID, TEXT
from persistence.pipeline.libpq import Call, Statement, round_trip
from persistence.raw_connection import PostgresConnection, driver_connection
from scoring.windows.records import EntityPast

_BOOLEAN_OID = 16

# An aggregate that refers to `g` is looked up entity by entity, whatever the planner estimates.
_READ = Statement(
    b"read_history",
    b"""
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
    CROSS JOIN LATERAL (
        SELECT count(*) AS events, string_agg(uuid_send(event_id) || record, '') AS records
        FROM entity_events
        WHERE tenant_id = $1 AND entity = g.entity AND key = g.key
            AND time_us >= g.since_us AND time_us < g.until_us
    ) AS e
    CROSS JOIN LATERAL (
        SELECT string_agg(uuid_send(event_id) || int8send(known_us), '') AS frauds
        FROM entity_frauds
        WHERE $6 AND tenant_id = $1 AND entity = g.entity AND key = g.key
    ) AS f
    """,
    (BIGINT_OID, TEXT.oid, TEXT.oid, BIGINT.oid, BIGINT.oid, _BOOLEAN_OID, BIGINT.oid),
)


_FIND_STORED = Statement(
    b"find_stored_ids",
    b"SELECT key FROM idempotency_keys WHERE tenant_id = $1 AND key = ANY($2)",
    (BIGINT_OID, TEXT.oid),
)
_STATEMENTS = (SET_TENANTS_PREPARED, _READ, _FIND_STORED)


class EntitySpan(NamedTuple):
    """The past of one entity that a batch needs.

    Attributes:
        entity: field that names the entity.
        key: the entity's id.
        since_us: first time, microseconds since 1970.
        until_us: time after the last one.
    """

    entity: str
    key: str
    since_us: int
    until_us: int


class Past(NamedTuple):
    """What is stored before a batch.

    Attributes:
        entities: past of each entity.
        stored_ids: those of the batch's external ids whose events are stored.
    """

    entities: list[EntityPast]
    stored_ids: frozenset[str]


_NOTHING = EntityPast(0, b"")


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
    columns = [
        tenant,
        TEXT.encode([span.entity for span in spans]),
        TEXT.encode([span.key for span in spans]),
        BIGINT.encode([span.since_us for span in spans]),
        BIGINT.encode([span.until_us for span in spans]),
        bytes([with_frauds]),
        BIGINT.encode(range(len(spans))),
    ]
    calls: list[Call] = [
        (SET_TENANTS_PREPARED, [str(tenant_id).encode()]),
        (_READ, columns),
    ]
    if external_ids:
        calls.append((_FIND_STORED, [tenant, TEXT.encode(external_ids)]))
    _, rows, *keys = round_trip(connection, _STATEMENTS, calls)
    entities = [_NOTHING] * len(spans)
    for row in range(rows.ntuples):
        place, *values = (rows.get_value(row, column) for column in range(rows.nfields))
        entities[int.from_bytes(place or b"")] = _past(values)
    stored = [key.get_value(row, 0) for key in keys for row in range(key.ntuples)]
    return Past(entities, frozenset(key.decode() for key in stored if key is not None))


def _past(values: Sequence[bytes | None]) -> EntityPast:
    in_segments, segments, recent, events, frauds = values
    recent_count = int.from_bytes(recent or b"")
    return EntityPast(
        int.from_bytes(in_segments or b"") + recent_count,
        (segments or b"") + (events or b""),
        frauds or b"",
        recent_count,
    )
