"""Remove the files of uploads some time after they ended; the uploads and the decisions stay."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection, text

KEPT_UNSTARTED = timedelta(days=1)
"""Age at which an upload that nobody started is discarded."""

_OLD = text(
    """
    SELECT tenant_id, number FROM uploads
    WHERE removed_at IS NULL
        AND (ended_at < :before OR (status = 'new' AND created_at < :unstarted))
    ORDER BY tenant_id, number
    """
)
_REMOVE = text(
    """
    UPDATE uploads SET removed_at = now(), ended_at = coalesce(ended_at, now()),
        status = CASE WHEN status = 'new' THEN 'discarded' ELSE status END
    WHERE tenant_id = :tenant_id AND number = :number
        AND removed_at IS NULL AND (status = 'new' OR ended_at < :before)
    RETURNING 1
    """
)
_DELETE = [
    text(f"DELETE FROM {table} WHERE tenant_id = :tenant_id AND number = :number")  # noqa: S608
    for table in ("upload_parts", "upload_chunks")
]


def old_uploads(connection: Connection, before: datetime, now: datetime) -> list[tuple[int, int]]:
    """Return tenant and number of the uploads whose files are due.

    Args:
        connection: the owner's connection, inside a transaction that sees all tenants.
        before: time before which they ended.
        now: current time, by which those that nobody started are due.
    """
    given = {"before": before, "unstarted": now - KEPT_UNSTARTED}
    return [(row.tenant_id, row.number) for row in connection.execute(_OLD, given)]


def remove_files(connection: Connection, tenant_id: int, number: int, before: datetime) -> bool:
    """Remove the files of an upload; return whether they were still there and due.

    Args:
        connection: the owner's connection, inside a transaction that sees all tenants.
        tenant_id: tenant whose upload it is.
        number: number of the upload.
        before: time before which it ended.
    """
    given = {"tenant_id": tenant_id, "number": number}
    if connection.execute(_REMOVE, {**given, "before": before}).one_or_none() is None:
        return False
    for statement in _DELETE:
        connection.execute(statement, given)
    return True
