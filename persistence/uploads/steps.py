"""What people do with an upload: start it, stop it, go on with it, discard it."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection, Engine, delete, func, select, update

from persistence.actor import Actor
from persistence.tables.uploads import UploadLeaseRow, UploadPartRow, UploadRow
from persistence.tenancy import tenant_transaction
from persistence.uploads.facts import Status, counts_of
from scoring.errors import NotFound


class UploadMoved(Exception):
    """An upload is in another state than the person saw, so nothing was changed."""


def start_upload(
    engine: Engine,
    tenant_id: int,
    number: int,
    mapping: Mapping[str, str],
    time_zone: str | None,
    *,
    actor: Actor,
) -> None:
    """Confirm the mapping of a new upload; its rows are decided from now on.

    Args:
        engine: pool of connections.
        tenant_id: tenant whose upload it is.
        number: number of the upload.
        mapping: column by field, without faults.
        time_zone: zone of times that are written without one; None refuses them.
        actor: person who starts it.

    Raises:
        NotFound: the tenant has no such upload.
        UploadMoved: it was started or discarded already.
    """
    values = {
        "mapping": dict(mapping),
        "time_zone": time_zone,
        "started_by": actor.name,
        "started_at": func.now(),
    }
    with tenant_transaction(engine, tenant_id, actor=actor) as connection:
        _move(connection, tenant_id, number, ("new",), "started", **values)


def stop_upload(engine: Engine, tenant_id: int, number: int, *, actor: Actor) -> None:
    """Decide no further row of an upload; what was decided stays. Errors as of `start_upload`."""
    with tenant_transaction(engine, tenant_id, actor=actor) as connection:
        end_upload(connection, tenant_id, number, "stopped")


def resume_upload(engine: Engine, tenant_id: int, number: int, *, actor: Actor) -> None:
    """Go on with an upload that failed or was stopped. Errors as of `start_upload`."""
    cleared = {"ended_at": None, "reason": None, "counts": None}
    with tenant_transaction(engine, tenant_id, actor=actor) as connection:
        _move(connection, tenant_id, number, ("failed", "stopped"), "started", **cleared)
        # Whoever had the upload last may keep it for a while yet; the person waits.
        lease = UploadLeaseRow
        of_upload = lease.tenant_id == tenant_id, lease.number == number
        connection.execute(update(lease).where(*of_upload).values(until=func.now()))


def discard_upload(engine: Engine, tenant_id: int, number: int, *, actor: Actor) -> None:
    """Remove the file of an upload that was not started. Errors as of `start_upload`."""
    ended = {"ended_at": func.now(), "removed_at": func.now()}
    of_upload = UploadPartRow.tenant_id == tenant_id, UploadPartRow.number == number
    with tenant_transaction(engine, tenant_id, actor=actor) as connection:
        _move(connection, tenant_id, number, ("new",), "discarded", **ended)
        connection.execute(delete(UploadPartRow).where(*of_upload))


def end_upload(
    connection: Connection,
    tenant_id: int,
    number: int,
    status: Status,
    reason: str | None = None,
) -> None:
    """End an upload that is under way, with the counts of its rows.

    Args:
        connection: connection inside a `tenant_transaction`.
        tenant_id: tenant whose upload it is.
        number: number of the upload.
        status: done, failed or stopped.
        reason: why it failed; None where it did not.

    Raises:
        NotFound: the tenant has no such upload.
        UploadMoved: it is not under way.
    """
    _lock(connection, tenant_id, number, ("started",))
    kept = _counted(connection, tenant_id, number)
    _put(
        connection, tenant_id, number,
        status=status, ended_at=func.now(), reason=reason, counts=kept,
    )  # fmt: skip


def recount(connection: Connection, tenant_id: int, number: int) -> None:
    """Keep the counts of the rows of an upload that has ended; arguments as of `end_upload`."""
    _put(connection, tenant_id, number, counts=_counted(connection, tenant_id, number))


def _counted(connection: Connection, tenant_id: int, number: int) -> dict[str, int] | None:
    counts = counts_of(connection, tenant_id, [number]).get(number)
    return {name: int(getattr(counts, name)) for name in counts.__slots__} if counts else None


def _move(
    connection: Connection,
    tenant_id: int,
    number: int,
    before: tuple[Status, ...],
    after: Status,
    **values: object,
) -> None:
    _lock(connection, tenant_id, number, before)
    _put(connection, tenant_id, number, status=after, **values)


def _lock(
    connection: Connection, tenant_id: int, number: int, statuses: tuple[Status, ...]
) -> None:
    """Lock an upload, so that no chunk of it is stored, and check its status."""
    row = UploadRow
    statement = (
        select(row.status, row.removed_at)
        .where(row.tenant_id == tenant_id, row.number == number)
        .with_for_update()
    )
    found = connection.execute(statement).one_or_none()
    if found is None:
        raise NotFound("There is no such upload.")
    if found.status not in statuses or found.removed_at is not None:
        raise UploadMoved(found.status)


def _put(connection: Connection, tenant_id: int, number: int, **values: object) -> None:
    row = UploadRow
    connection.execute(
        update(row).where(row.tenant_id == tenant_id, row.number == number).values(**values)
    )
