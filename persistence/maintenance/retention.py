"""A month that is past its retention: its idempotency keys, its feedback, then its partitions.

A key lives as long as its decision; afterwards the same `external_id` is decided again.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, text

from persistence.maintenance.foreign_keys import references_set_aside
from persistence.maintenance.partitions import PARTITIONED, Month
from persistence.tenancy import every_tenants_transaction, see_all_tenants

_PAGE = 10_000


def delete_keys(connection: Connection, month: Month) -> tuple[int, int]:
    """Delete a month's idempotency keys page by page, each in a transaction of its own.

    The month's transactions say which keys they are, so that no other row is read.

    Returns:
        How many decisions the month has, and how many keys it had.
    """
    page = text(
        f"""
        WITH page AS MATERIALIZED (
            SELECT tenant_id, id, external_id FROM transactions
            WHERE id >= :start AND id < :end AND (tenant_id, id) > (:tenant_id, :id)
            ORDER BY tenant_id, id LIMIT {_PAGE}
        ), gone AS (
            DELETE FROM idempotency_keys k USING page
            WHERE (k.tenant_id, k.key) = (page.tenant_id, page.external_id)
                AND k.prediction_id < :end
            RETURNING 1
        )
        SELECT (SELECT count(*) FROM gone), count(*) OVER (), tenant_id, id FROM page
        ORDER BY tenant_id DESC, id DESC LIMIT 1
        """  # noqa: S608 - a number of ours
    )
    start, end = month.first_id, month.plus(1).first_id
    place: dict[str, Any] = {"tenant_id": 0, "id": start, "start": start, "end": end}
    decisions = keys = 0
    while True:
        with every_tenants_transaction(connection):
            last = connection.execute(page, place).one_or_none()
        if last is None:
            return decisions, keys
        deleted, read, place["tenant_id"], place["id"] = last
        decisions += read
        keys += deleted


def delete_feedback(connection: Connection, month: Month) -> int:
    """Delete the feedback on transactions up to a month; return the number of rows."""
    return connection.execute(
        text("DELETE FROM feedback WHERE transaction_id < :end"), {"end": month.plus(1).first_id}
    ).rowcount


def delete_late_keys(connection: Connection, month: Month) -> int:
    """Delete the keys of a month that came after `delete_keys`, once the month is dropped.

    They come from a service whose clock is a month behind. Reads the whole table, under a lock that
    lets scoring go on.
    """
    of_month = {"start": month.first_id, "end": month.plus(1).first_id}
    return connection.execute(
        text("DELETE FROM idempotency_keys WHERE prediction_id >= :start AND prediction_id < :end"),
        of_month,
    ).rowcount


def drop_month(connection: Connection, month: Month) -> int:
    """Drop a month's partitions within the running transaction.

    Returns:
        How many entries of feedback have come since `delete_feedback`, and went too.
    """
    with references_set_aside(connection):
        see_all_tenants(connection)
        late = delete_feedback(connection, month)
        for table in PARTITIONED:
            connection.execute(text(f"DROP TABLE IF EXISTS {month.partition_of(table)}"))
    return late
