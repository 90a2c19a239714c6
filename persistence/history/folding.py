"""Move the recent past events of entities to their segments.

A segment is read in a tenth of the time that its events take in rows of their own, and takes a
fifth of their space. Moving is one statement for each entity: an event is in its own row or in a
segment, to every reader.
"""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Engine, text

from persistence.tenancy import SERVICE, tenant_transaction

FOLD_FROM = 16
"""Recent events of an entity from which they are moved. A segment grows to 128 events, so that an
event is written about five times (docs/decisions/0014-windows.md)."""

_FOLD = text(
    "SELECT fold_entity_events(:tenant_id, entity, key) FROM"
    " unnest(CAST(:entities AS text[]), CAST(:keys AS text[])) AS e (entity, key)"
)


SMALL_EVENTS = 32
"""Events of a segment below which it is small. Imports in parts leave such segments; those of
scored events grow."""
MERGE_FROM = 4
"""Small segments of an entity from which an import merges them."""
_PAGE = 1_000
"""Entities of a transaction."""

_IN_ORDER = text("SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off")
"""A page reads its part of the primary key; Postgres may else read the whole table for each."""
_IN_PARTS = text(
    "SELECT entity, key FROM entity_segments"
    " WHERE tenant_id = :tenant_id AND (entity, key) > (:entity, :key) AND events < :small"
    " GROUP BY entity, key HAVING count(*) >= :segments ORDER BY entity, key LIMIT :page"
)


def fold_history(engine: Engine, tenant_id: int, entities: Collection[tuple[str, str]]) -> None:
    """Move the recent events of some entities to their segments, in one transaction.

    Args:
        engine: pool of connections.
        tenant_id: tenant of the entities.
        entities: field and id of each entity.

    Raises:
        StoreUnavailable: Postgres is unreachable or the connection broke; nothing was moved.
    """
    # Always in the same order, so that two processes do not wait for each other.
    ordered = sorted(entities)
    with tenant_transaction(engine, tenant_id, actor=SERVICE) as connection:
        # What is lost in a crash stays in the rows that it was in.
        connection.execute(text("SET LOCAL synchronous_commit = off"))
        given = {
            "tenant_id": tenant_id,
            "entities": [entity for entity, _ in ordered],
            "keys": [key for _, key in ordered],
        }
        connection.execute(_FOLD, given)


def merge_small_segments(engine: Engine, tenant_id: int) -> None:
    """Merge the segments of each entity that has many small ones.

    Args:
        engine: pool of connections.
        tenant_id: tenant whose segments they are.

    Raises:
        StoreUnavailable: Postgres is unreachable or the connection broke; what is merged stays.
    """
    entity = key = ""
    while True:
        with tenant_transaction(engine, tenant_id, actor=SERVICE) as connection:
            connection.execute(_IN_ORDER)
            given = {
                "tenant_id": tenant_id,
                "entity": entity,
                "key": key,
                "small": SMALL_EVENTS,
                "segments": MERGE_FROM,
                "page": _PAGE,
            }
            found = [(row.entity, row.key) for row in connection.execute(_IN_PARTS, given)]
        if not found:
            return
        fold_history(engine, tenant_id, found)
        entity, key = found[-1]
