"""Delete the past events that no window can see any more.

Age counts from the newest past event of the tenant, not from the clock, so that an old file that is
replayed keeps its history. The primary key begins with the entity: the statements go from one
entity to the next by it and read only what they delete. They take no lock that scoring waits for.
"""

from __future__ import annotations

from sqlalchemy import Connection, text

from persistence.actor import Actor
from persistence.tenancy import OPERATOR, every_tenants_transaction
from scoring.expressions.durations import MAX_WINDOW_US
from scoring.windows.definition import DAY_US

KEPT_US = 2 * MAX_WINDOW_US + DAY_US
"""The longest window behind the longest delay, which is as long, and the longest hop by which the
start of a window is rounded."""
_PAGE = 1_000
"""Entities of a transaction."""

_NESTED_LOOPS = "SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off"
"""The entities of a page are looked up one by one; Postgres may else read the whole table."""

# https://wiki.postgresql.org/wiki/Loose_indexscan
_PAGE_OF_ENTITIES = """
WITH RECURSIVE entities AS (
    (SELECT entity, key FROM entity_events WHERE tenant_id = :tenant_id
        AND (entity, key) > (:entity, :key) ORDER BY entity, key LIMIT 1)
    UNION ALL
    SELECT next.* FROM entities e CROSS JOIN LATERAL (
        SELECT entity, key FROM entity_events WHERE tenant_id = :tenant_id
            AND (entity, key) > (e.entity, e.key) ORDER BY entity, key LIMIT 1
    ) AS next
), page AS MATERIALIZED (SELECT entity, key FROM entities LIMIT :page)
"""
_TENANTS = text("SELECT id FROM tenants ORDER BY id")
_NEWEST = text(
    f"""
    {_PAGE_OF_ENTITIES}
    SELECT max(newest.time_us) FROM page e CROSS JOIN LATERAL (
        SELECT max(time_us) AS time_us FROM entity_events
        WHERE tenant_id = :tenant_id AND entity = e.entity AND key = e.key
    ) AS newest
    """  # noqa: S608 - constants of this file, here and below
)
_OLD = """
WHERE d.tenant_id = :tenant_id AND d.entity = e.entity AND d.key = e.key
    AND d.time_us < :before_us
"""
_COUNT = text(
    f"{_PAGE_OF_ENTITIES} SELECT count(*) FROM page e JOIN entity_events d ON true {_OLD}"  # noqa: S608
)
_DELETE = text(
    f"""
    {_PAGE_OF_ENTITIES}, gone AS (
        DELETE FROM entity_events d USING page e {_OLD} RETURNING 1
    )
    SELECT entity, key, (SELECT count(*) FROM gone) FROM page
    ORDER BY entity DESC, key DESC LIMIT 1
    """  # noqa: S608
)


def count_old_events(connection: Connection) -> int:
    """Return how many past events of all tenants are older than KEPT_US."""
    with every_tenants_transaction(connection):
        connection.exec_driver_sql(_NESTED_LOOPS)
        return sum(
            connection.execute(
                _COUNT, _everything(tenant_id) | {"before_us": before_us}
            ).scalar_one()
            for tenant_id, before_us in _limits(connection)
        )


def delete_old_events(connection: Connection, actor: Actor = OPERATOR) -> int:
    """Delete the past events of all tenants that are older than KEPT_US; return how many.

    Each page of entities is a transaction of its own.

    Args:
        connection: connection of the table's owner, without a transaction.
        actor: actor of the deletions.
    """
    with every_tenants_transaction(connection, actor):
        limits = _limits(connection)
    deleted = 0
    for tenant_id, before_us in limits:
        place = _everything(tenant_id) | {"before_us": before_us, "page": _PAGE}
        while True:
            with every_tenants_transaction(connection, actor):
                connection.exec_driver_sql(_NESTED_LOOPS)
                last = connection.execute(_DELETE, place).one_or_none()
            if last is None:
                break
            place["entity"], place["key"], gone = last
            deleted += gone
    return deleted


def _limits(connection: Connection) -> list[tuple[int, int]]:
    """Return the tenants that have past events, each with the first time that is kept."""
    tenants = connection.execute(_TENANTS).scalars().all()
    newest = [(t, connection.execute(_NEWEST, _everything(t)).scalar_one()) for t in tenants]
    return [(tenant_id, time_us - KEPT_US) for tenant_id, time_us in newest if time_us is not None]


def _everything(tenant_id: int) -> dict[str, int | str | None]:
    """Return the parameters of a page with all entities of a tenant."""
    return {"tenant_id": tenant_id, "entity": "", "key": "", "page": None}
