"""Delete a month past its retention: its keys, its feedback and labels, then its partitions.

Its figures by hour go with the partitions. A key lives as long as its decision; afterwards the same
`external_id` is decided again. Readings in the access log have a retention of their own.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, text

from persistence.actor import Actor
from persistence.maintenance.foreign_keys import foreign_keys_dropped
from persistence.maintenance.partitions import ACCESSES, DECISIONS, Month
from persistence.tenancy import OPERATOR, every_tenants_transaction, see_all_tenants

_PAGE = 10_000


def delete_keys(connection: Connection, month: Month) -> tuple[int, int]:
    """Delete a month's idempotency keys page by page, each in a transaction of its own.

    The keys are read from the month's transactions, so that no other row is read.

    Returns:
        Number of the month's decisions, and number of keys deleted.
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
        """  # noqa: S608 - a constant of this file
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


def delete_labels(connection: Connection, month: Month) -> int:
    """Delete the labels of transactions up to a month; return the number of rows.

    Those of earlier months are labels that a release without them has left behind.
    """
    return connection.execute(
        text("DELETE FROM labels WHERE transaction_id < :end"), {"end": month.plus(1).first_id}
    ).rowcount


def delete_assignments(connection: Connection, month: Month) -> None:
    """Delete who works on transactions up to a month."""
    connection.execute(
        text("DELETE FROM review_assignments WHERE transaction_id < :end"),
        {"end": month.plus(1).first_id},
    )


def delete_requests(connection: Connection, month: Month) -> int:
    """Delete the requests up to a month that had a key of their own; return how many.

    Those are batches, which live as long as their first decision, and changes. The statement reads
    the whole table, under a lock that does not stop scoring.
    """
    end = month.plus(1)
    return connection.execute(
        text(
            "DELETE FROM idempotent_requests WHERE prediction_ids[1] < :end"
            " OR (prediction_ids IS NULL AND created_at < :end_time)"
        ),
        {"end": end.first_id, "end_time": end.start},
    ).rowcount


def delete_late_keys(connection: Connection, month: Month) -> int:
    """Delete the keys of a dropped month that were written after `delete_keys`; return how many.

    A service whose clock is a month behind writes them. The statement reads the whole table, under
    a lock that does not stop scoring.
    """
    of_month = {"start": month.first_id, "end": month.plus(1).first_id}
    return connection.execute(
        text("DELETE FROM idempotency_keys WHERE prediction_id >= :start AND prediction_id < :end"),
        of_month,
    ).rowcount


def drop_month(connection: Connection, month: Month, actor: Actor = OPERATOR) -> tuple[int, int]:
    """Drop a month's partitions of decisions within the running transaction.

    Args:
        connection: connection of the tables' owner.
        month: month that is dropped.
        actor: actor of the deletions in the audit log.

    Returns:
        Numbers of rows of feedback and of labels that were written after `delete_feedback` and
        `delete_labels`.
    """
    with foreign_keys_dropped(connection):
        see_all_tenants(connection, actor)
        # The lock on the transactions keeps further labels from being stored.
        late = delete_feedback(connection, month), delete_labels(connection, month)
        _drop_partitions(connection, DECISIONS, month)
        # Whoever counts the month holds a lock until the counts are stored.
        delete_hours(connection, month)
    return late


def delete_hours(connection: Connection, month: Month) -> None:
    """Delete the figures of the hours up to a month."""
    for table in ("decision_hours", "expected_hours", "category_hours"):
        connection.execute(
            text(f"DELETE FROM {table} WHERE hour < :end"),  # noqa: S608 - names of this file
            {"end": month.plus(1).start},
        )


def drop_accesses(connection: Connection, month: Month) -> None:
    """Drop a month's readings within the running transaction; scoring does not wait for it."""
    _drop_partitions(connection, ACCESSES, month)


def _drop_partitions(connection: Connection, tables: Iterable[str], month: Month) -> None:
    for table in tables:
        connection.execute(text(f"DROP TABLE IF EXISTS {month.partition_of(table)}"))
