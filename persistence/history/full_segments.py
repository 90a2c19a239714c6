"""Read the full segments of an entity, which never change."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Engine, text

from persistence.history.reader import Known
from persistence.tenancy import SERVICE, tenant_transaction
from scoring.windows.records import EntityPast

# A segment that is not full is replaced by one with a later id, so only those before the first one
# are known for good.
_READ = text(
    """
    SELECT max(id), coalesce(sum(events), 0)::bigint, coalesce(string_agg(records, ''), ''),
        (SELECT string_agg(uuid_send(event_id) || int8send(known_us), '') FROM entity_frauds
            WHERE tenant_id = :tenant_id AND entity = :entity AND key = :key),
        pg_snapshot_xmin(pg_current_snapshot())::text::bigint,
        EXISTS (
            SELECT FROM entity_segments
            WHERE tenant_id = :tenant_id AND entity = :entity AND key = :key AND id = :after
        )
    FROM entity_segments
    WHERE tenant_id = :tenant_id AND entity = :entity AND key = :key
        AND id > :after AND until_us >= :since_us
        AND id < (
            SELECT coalesce(min(id), 9223372036854775807) FROM entity_segments
            WHERE tenant_id = :tenant_id AND entity = :entity AND key = :key
                AND events < :full
        )
    """
)
_MOST_SEGMENTS = text(
    """
    SELECT key, (
        SELECT max(until_us) FROM entity_segments
        WHERE tenant_id = :tenant_id AND entity = :entity AND key = most.key
    )
    FROM (
        SELECT key FROM entity_segments WHERE tenant_id = :tenant_id AND entity = :entity
        GROUP BY key HAVING count(*) >= :segments ORDER BY count(*) DESC LIMIT :most
    ) AS most
    """
)
FULL_EVENTS = 128
"""Events of a segment from which `fold_entity_events` adds none to it."""


class FullSegments(NamedTuple):
    """Full segments of an entity.

    Attributes:
        past: their events, and all known frauds of the entity.
        known: what is known of the entity with them.
        follows: whether the segment that they follow is still there; True for the first ones.
    """

    past: EntityPast
    known: Known
    follows: bool


def read_full_segments(
    engine: Engine, tenant_id: int, entity: str, key: str, since_us: int, after: int = 0
) -> FullSegments | None:
    """Return the full segments of an entity, or those after one; None where there never were any.

    Args:
        engine: pool of connections.
        tenant_id: tenant of the entity.
        entity: field that names the entity.
        key: the entity's id.
        since_us: time from which on events are read, microseconds since 1970.
        after: id of the last segment that is not read.

    Raises:
        StoreUnavailable: Postgres is unreachable or the connection broke.
    """
    with tenant_transaction(engine, tenant_id, actor=SERVICE) as connection:
        last, events, records, frauds, transaction, is_there = connection.execute(
            _READ,
            {
                "tenant_id": tenant_id,
                "entity": entity,
                "key": key,
                "after": after,
                "since_us": since_us,
                "full": FULL_EVENTS,
            },
        ).one()
    if last is None and not after:
        return None
    past = EntityPast(events, bytes(records), bytes(frauds or b""))
    return FullSegments(past, Known(last or after, transaction), is_there or not after)


def entities_with_most_segments(
    engine: Engine, tenant_id: int, entity: str, segments: int, most: int
) -> list[tuple[str, int]]:
    """Return the ids of entities that have many segments, each with the time of its latest event.

    Args:
        engine: pool of connections.
        tenant_id: tenant of the entities.
        entity: field that names the entities.
        segments: fewest segments of one that is returned.
        most: most entities that are returned, by their number of segments.

    Raises:
        StoreUnavailable: Postgres is unreachable or the connection broke.
    """
    with tenant_transaction(engine, tenant_id, actor=SERVICE) as connection:
        found = connection.execute(
            _MOST_SEGMENTS,
            {"tenant_id": tenant_id, "entity": entity, "segments": segments, "most": most},
        )
        return [(key, until_us) for key, until_us in found]
