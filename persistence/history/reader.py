"""Read the past events of entities: one round trip for all entities of a batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from struct import pack
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Engine

from persistence.decisions.insert_sql import SET_TENANTS_PREPARED
from persistence.pipeline.binary_arrays import BIGINT, BIGINT_OID, TEXT
from persistence.pipeline.libpq import Statement, round_trip
from persistence.raw_connection import driver_connection

_READ = Statement(
    b"read_history",
    b"""
    SELECT g.place, e.time_us, e.fields, e.fraud_known_us
    FROM (
        SELECT unnest($1::bigint[]) AS place, unnest($2::bigint[]) AS tenant_id,
            unnest($3::text[]) AS entity, unnest($4::text[]) AS key,
            unnest($5::bigint[]) AS since_us, unnest($6::bigint[]) AS until_us
    ) AS g
    CROSS JOIN LATERAL (
        SELECT time_us, fields, fraud_known_us FROM entity_events
        WHERE tenant_id = g.tenant_id AND entity = g.entity AND key = g.key
            AND time_us >= g.since_us AND time_us < g.until_us
        ORDER BY time_us, event_id
    ) AS e
    """,
    (BIGINT.oid, BIGINT.oid, TEXT.oid, TEXT.oid, BIGINT.oid, BIGINT.oid),
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


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """A past event.

    Attributes:
        time_us: the event's own time, microseconds since 1970.
        fields: value by field name, as it was sent.
        fraud_known_us: time at which it became known as a fraud; None where it did not.
    """

    time_us: int
    fields: dict[str, Any]
    fraud_known_us: int | None


class Past(NamedTuple):
    """What is stored before a batch.

    Attributes:
        of_entities: past events of each entity, in order of time.
        stored_ids: those of the batch's external ids whose events are stored.
    """

    of_entities: list[list[StoredEvent]]
    stored_ids: frozenset[str]


def read_history(
    engine: Engine, tenant_id: int, spans: Sequence[EntitySpan]
) -> list[list[StoredEvent]]:
    """Return the past events of each entity alone; see `read_past`."""
    return read_past(engine, tenant_id, spans).of_entities


def read_past(
    engine: Engine,
    tenant_id: int,
    spans: Sequence[EntitySpan],
    external_ids: Sequence[str] = (),
) -> Past:
    """Return the past events of each entity, and which events of a batch are stored.

    Args:
        engine: pool that the connection is taken from.
        tenant_id: tenant whose events are read.
        spans: entities, each once, with the span of time that is needed.
        external_ids: callers' own ids of events that may be stored.

    Raises:
        StoreUnavailable: Postgres is unreachable, or the connection broke.
    """
    found: list[list[StoredEvent]] = [[] for _ in spans]
    columns = [
        BIGINT.encode(range(len(spans))),
        BIGINT.encode([tenant_id] * len(spans)),
        TEXT.encode([span.entity for span in spans]),
        TEXT.encode([span.key for span in spans]),
        BIGINT.encode([span.since_us for span in spans]),
        BIGINT.encode([span.until_us for span in spans]),
    ]
    calls = [(SET_TENANTS_PREPARED, [str(tenant_id).encode()]), (_READ, columns)]
    if external_ids:
        calls.append((_FIND_STORED, [pack("!q", tenant_id), TEXT.encode(external_ids)]))
    with driver_connection(engine) as connection:
        _, rows, *keys = round_trip(connection, _STATEMENTS, calls)
        for row in range(rows.ntuples):
            place, time_us, fields, known = (rows.get_value(row, i) for i in range(4))
            assert place is not None and time_us is not None and fields is not None  # noqa: S101, PT018
            found[_int(place)].append(
                StoredEvent(
                    _int(time_us), orjson.loads(fields), None if known is None else _int(known)
                )
            )
        stored = [key.get_value(row, 0) for key in keys for row in range(key.ntuples)]
    return Past(found, frozenset(key.decode() for key in stored if key is not None))


def _int(value: bytes) -> int:
    return int.from_bytes(value, "big", signed=True)
