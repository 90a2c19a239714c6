"""Read the labels of single events."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from uuid import UUID

from sqlalchemy import Connection, text

from scoring.labels import EventLabel

MAX_LABELS = 1000
"""Labels of one event that are read; a source that reports more has repeated itself."""

_COLUMNS = "id, label, source, reversed, occurred_at, amount_lost, actor, created_at"
# By event and not as one range: the ids of a page of the worklist are years apart.
_LATEST = text(
    f"""
    SELECT wanted.id, latest.* FROM unnest(CAST(:ids AS uuid[])) AS wanted (id)
    CROSS JOIN LATERAL (
        SELECT DISTINCT ON (source) {_COLUMNS} FROM labels
        WHERE tenant_id = :tenant_id AND transaction_id = wanted.id
        ORDER BY source DESC, occurred_at DESC, id DESC LIMIT 100
    ) AS latest
    """  # noqa: S608 - a constant of this file, here and below
)
_HISTORY = text(
    f"""
    SELECT {_COLUMNS} FROM labels
    WHERE tenant_id = :tenant_id AND transaction_id = :transaction_id
    ORDER BY occurred_at DESC, id DESC LIMIT {MAX_LABELS}
    """  # noqa: S608
)


def latest_labels(
    connection: Connection, tenant_id: int, transaction_ids: Sequence[UUID]
) -> Mapping[UUID, Sequence[EventLabel]]:
    """Return each source's latest label of each event; `effective_label` needs no more.

    Args:
        connection: connection inside a `tenant_transaction`.
        tenant_id: tenant whose events they are.
        transaction_ids: ids of the events.
    """
    found: defaultdict[UUID, list[EventLabel]] = defaultdict(list)
    given = {"tenant_id": tenant_id, "ids": list(transaction_ids)}
    for transaction_id, *columns in connection.execute(_LATEST, given):
        found[transaction_id].append(EventLabel(*columns))
    return found


def label_history(
    connection: Connection, tenant_id: int, transaction_id: UUID
) -> tuple[EventLabel, ...]:
    """Return the latest MAX_LABELS labels of an event, latest first.

    Args:
        connection: connection inside a `tenant_transaction`.
        tenant_id: tenant whose event it is.
        transaction_id: id of the event.
    """
    given = {"tenant_id": tenant_id, "transaction_id": transaction_id}
    return tuple(EventLabel(*row) for row in connection.execute(_HISTORY, given))
