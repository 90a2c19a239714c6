"""Delete the past events that no window can see any more.

Age counts from the newest past event of the tenant, not from the clock, so that an old file that is
replayed keeps its history. The primary key begins with the entity: the statements go from one
entity to the next by it and read only what they delete. They take no lock that scoring waits for.
"""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection, TextClause, text

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


class _Table(NamedTuple):
    """A table of past events, its column with the time of a row's latest event, and its events."""

    name: str
    time: str
    events: str


_TABLES = (
    _Table("entity_segments", "until_us", "events"),
    _Table("entity_events", "time_us", "1"),
    # A fraud becomes known after its event.
    _Table("entity_frauds", "known_us", "0"),
)


def _page(table: _Table) -> str:
    """Return the common table expressions of the entities that follow one, without their rows."""
    # https://wiki.postgresql.org/wiki/Loose_indexscan
    return f"""
WITH RECURSIVE entities AS (
    (SELECT entity, key FROM {table.name} WHERE tenant_id = :tenant_id
        AND (entity, key) > (:entity, :key) ORDER BY entity, key LIMIT 1)
    UNION ALL
    SELECT next.* FROM entities e CROSS JOIN LATERAL (
        SELECT entity, key FROM {table.name} WHERE tenant_id = :tenant_id
            AND (entity, key) > (e.entity, e.key) ORDER BY entity, key LIMIT 1
    ) AS next
), page AS MATERIALIZED (SELECT entity, key FROM entities LIMIT :page)
"""  # noqa: S608 - constants of this file, here and below


def _old(table: _Table) -> str:
    return f"""
WHERE d.tenant_id = :tenant_id AND d.entity = e.entity AND d.key = e.key
    AND d.{table.time} < :before_us
"""


_CHANGES = text(
    "DELETE FROM entity_fraud_changes WHERE tenant_id = :tenant_id"
    " AND changed_at < statement_timestamp() - interval '1 day'"
)
"""Processes that keep frauds read them all again sooner (`serving/prepared_entities.py`)."""
_TENANTS = text("SELECT id FROM tenants ORDER BY id")


def _newest(table: _Table) -> TextClause:
    return text(
        f"""
        {_page(table)}
        SELECT max(newest.us) FROM page e CROSS JOIN LATERAL (
            SELECT max({table.time}) AS us FROM {table.name}
            WHERE tenant_id = :tenant_id AND entity = e.entity AND key = e.key
        ) AS newest
        """  # noqa: S608
    )


def _count(table: _Table) -> TextClause:
    return text(
        f"""
        {_page(table)}
        SELECT coalesce(sum({table.events}), 0)
        FROM page e JOIN {table.name} d ON true {_old(table)}
        """  # noqa: S608
    )


def _delete(table: _Table) -> TextClause:
    return text(
        f"""
        {_page(table)}, gone AS (
            DELETE FROM {table.name} d USING page e {_old(table)} RETURNING {table.events} AS events
        )
        SELECT entity, key, (SELECT coalesce(sum(events), 0) FROM gone) FROM page
        ORDER BY entity DESC, key DESC LIMIT 1
        """  # noqa: S608
    )


def count_old_events(connection: Connection) -> int:
    """Return how many past events of all tenants are older than KEPT_US."""
    with every_tenants_transaction(connection):
        connection.exec_driver_sql(_NESTED_LOOPS)
        return sum(
            int(
                connection.execute(
                    _count(table), _everything(tenant_id) | {"before_us": before_us}
                ).scalar_one()
            )
            for tenant_id, before_us in _limits(connection)
            for table in _TABLES
        )


def delete_old_events(connection: Connection, actor: Actor = OPERATOR) -> int:
    """Delete the past events of all tenants that are older than KEPT_US; return how many.

    A segment is deleted when its latest event is as old. Each page of entities is a transaction of
    its own.

    Args:
        connection: connection of the table's owner, without a transaction.
        actor: actor of the deletions.
    """
    with every_tenants_transaction(connection, actor):
        limits = _limits(connection)
        for tenant_id, _ in limits:
            connection.execute(_CHANGES, {"tenant_id": tenant_id})
    deleted = 0
    for table in _TABLES:
        statement = _delete(table)
        for tenant_id, before_us in limits:
            place = _everything(tenant_id) | {"before_us": before_us, "page": _PAGE}
            while True:
                with every_tenants_transaction(connection, actor):
                    connection.exec_driver_sql(_NESTED_LOOPS)
                    last = connection.execute(statement, place).one_or_none()
                if last is None:
                    break
                place["entity"], place["key"], gone = last
                deleted += int(gone)
    return deleted


def _limits(connection: Connection) -> list[tuple[int, int]]:
    """Return the tenants that have past events, each with the first time that is kept."""
    limits = []
    for tenant_id in connection.execute(_TENANTS).scalars().all():
        newest = [
            connection.execute(_newest(table), _everything(tenant_id)).scalar_one()
            for table in _TABLES[:2]
        ]
        if known := [us for us in newest if us is not None]:
            limits.append((tenant_id, max(known) - KEPT_US))
    return limits


def _everything(tenant_id: int) -> dict[str, int | str | None]:
    """Return the parameters of a page with all entities of a tenant."""
    return {"tenant_id": tenant_id, "entity": "", "key": "", "page": None}
