"""Which process decides the rows of an upload, and the chunks that it stores.

A process takes an upload for a while (a lease) and extends it with each chunk. Another one takes
the upload when the lease is over, at the first row that no chunk has. A chunk is stored by whoever
has the lease only, so each row is in one chunk.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Connection, Engine, func, insert, select, text, update

from persistence.engine import transaction
from persistence.tables.uploads import UploadChunkRow, UploadLeaseRow, UploadRow
from persistence.tenancy import SERVICE, see_all_tenants, tenant_transaction
from persistence.uploads.facts import Status, Upload, find_upload
from persistence.uploads.steps import UploadMoved, end_upload, recount

LEASE_S = 60
"""Seconds after which an upload is taken from a process that stored no chunk of it."""

# Of several the one whose turn was longest ago, so that a large file keeps no other waiting.
_CLAIM = text(
    """
    UPDATE upload_leases SET holder = :holder, until = now() + make_interval(secs => :seconds)
    WHERE (tenant_id, number) = (
        SELECT l.tenant_id, l.number
        FROM uploads u JOIN upload_leases l USING (tenant_id, number)
        WHERE u.ended_at IS NULL AND u.status = 'started' AND l.until <= now()
        ORDER BY l.until LIMIT 1 FOR UPDATE OF l SKIP LOCKED
    )
    RETURNING tenant_id, number
    """
)


class LeaseLost(Exception):
    """Another process has the upload, or it has ended."""


class Job(NamedTuple):
    """An upload that this process decides the rows of.

    Attributes:
        tenant_id: tenant whose upload it is.
        upload: the upload.
        next_row: first row that is not decided, counted from 1.
        holder: id of this process.
    """

    tenant_id: int
    upload: Upload
    next_row: int
    holder: UUID


@dataclass(frozen=True, slots=True)
class Chunk:
    """Rows that were decided together.

    Attributes:
        first_row: number of the first one.
        rows: how many there are.
        rejected: rows that are no events.
        repeated: rows whose `external_id` was decided before.
        reviewed: decisions to review.
        declined: decisions to decline.
        results: their lines of the result file.
        rejects: their lines of the reject file.
        faults: row, line and [column, field, reason] of each rejected row.
    """

    first_row: int
    rows: int
    rejected: int
    repeated: int
    reviewed: int
    declined: int
    results: bytes
    rejects: bytes
    faults: Sequence[Any]


def claim_upload(engine: Engine, holder: UUID) -> Job | None:
    """Take an upload whose rows nobody decides; None where there is none.

    Args:
        engine: pool that acts as the service.
        holder: id of this process.
    """
    with transaction(engine) as connection:
        see_all_tenants(connection, SERVICE)
        claim = {"holder": holder, "seconds": LEASE_S}
        found = connection.execute(_CLAIM, claim).one_or_none()
    if found is None:
        return None
    tenant_id, number = found
    with tenant_transaction(engine, tenant_id) as connection:
        upload = find_upload(connection, tenant_id, number)
        return Job(tenant_id, upload, _next_row(connection, tenant_id, number), holder)


def store_chunk(engine: Engine, job: Job, chunk: Chunk) -> bool:
    """Store a chunk and extend the lease; return whether the upload goes on.

    The rows are decided, so the chunk of an upload that a person has stopped meanwhile is stored
    and counted too.

    Raises:
        LeaseLost: another process has the upload; nothing was stored.
    """
    key = {"tenant_id": job.tenant_id, "number": job.upload.number}
    with tenant_transaction(engine, job.tenant_id) as connection:
        status = _status(connection, job)
        if status not in ("started", "stopped"):
            raise LeaseLost
        goes_on = status == "started"
        _extend(connection, job, LEASE_S if goes_on else 0)
        connection.execute(
            insert(UploadChunkRow)
            .values(**key, **{name: getattr(chunk, name) for name in chunk.__slots__})
            .inline()
        )
        if not goes_on:
            recount(connection, job.tenant_id, job.upload.number)
    return goes_on


def release_upload(engine: Engine, job: Job, delay_s: float = 0.0) -> None:
    """Let another process, or this one later, go on with the upload.

    Args:
        engine: pool that acts as the service.
        job: the upload.
        delay_s: seconds until then.

    Raises:
        LeaseLost: another process has it already.
    """
    with tenant_transaction(engine, job.tenant_id) as connection:
        _extend(connection, job, delay_s)


def finish_upload(engine: Engine, job: Job, failure: str | None = None) -> None:
    """End an upload: every row is decided or rejected, or none can be decided.

    Args:
        engine: pool that acts as the service.
        job: the upload.
        failure: why no row can be decided; None where every one was read.

    Raises:
        LeaseLost: this process may not decide the rows any more.
    """
    with tenant_transaction(engine, job.tenant_id) as connection:
        status: Status = "done" if failure is None else "failed"
        try:
            end_upload(connection, job.tenant_id, job.upload.number, status, failure)
        except UploadMoved as error:
            raise LeaseLost from error
        _extend(connection, job, 0)


def _status(connection: Connection, job: Job) -> str:
    """Return the status of an upload, which nobody changes in the running transaction."""
    row = UploadRow
    of_upload = row.tenant_id == job.tenant_id, row.number == job.upload.number
    statement = select(row.status).where(*of_upload).with_for_update()
    return connection.execute(statement).scalar_one()


def _extend(connection: Connection, job: Job, seconds: float) -> None:
    lease = UploadLeaseRow
    extended = (
        update(lease)
        .where(
            lease.tenant_id == job.tenant_id,
            lease.number == job.upload.number,
            lease.holder == job.holder,
        )
        .values(until=func.now() + func.make_interval(0, 0, 0, 0, 0, 0, seconds))
        .returning(lease.number)
    )
    if connection.execute(extended).one_or_none() is None:
        raise LeaseLost


def _next_row(connection: Connection, tenant_id: int, number: int) -> int:
    row = UploadChunkRow
    last = (
        select(row.first_row + row.rows)
        .where(row.tenant_id == tenant_id, row.number == number)
        .order_by(row.first_row.desc())
        .limit(1)
    )
    return connection.execute(last).scalar_one_or_none() or 1
