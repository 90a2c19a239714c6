"""An upload, how far it is, and the list of uploads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, Engine, Row, func, select

from persistence.tables.uploads import UploadChunkRow, UploadRow
from persistence.tenancy import tenant_transaction
from scoring.errors import NotFound
from scoring.uploads.table import Shape

Status = Literal["new", "started", "done", "failed", "stopped", "discarded"]


@dataclass(frozen=True, slots=True)
class Counts:
    """What was made of the rows of an upload so far.

    Attributes:
        rows: rows that were read.
        rejected: rows that are no events.
        repeated: rows whose `external_id` was decided before.
        reviewed: decisions to review.
        declined: decisions to decline.
    """

    rows: int = 0
    rejected: int = 0
    repeated: int = 0
    reviewed: int = 0
    declined: int = 0

    @property
    def scored(self) -> int:
        """Rows that have a decision."""
        return self.rows - self.rejected


@dataclass(frozen=True, slots=True)
class Upload:
    """An uploaded file and what became of it.

    Attributes:
        number: 1, 2, 3 ... in the tenant.
        status: new until its mapping is confirmed; started while its rows are decided.
        file_name: name that the file was sent with.
        size: size of the file, bytes.
        sha256: of the file, hexadecimal.
        rows: rows of the file, without its header.
        shape: how it is written.
        mapping: column by field; None before it is confirmed.
        time_zone: zone of times that are written without one; None: they are refused.
        created_by: name of the person who sent it.
        created_at: time at which it was sent.
        started_by: name of the person who confirmed the mapping; None before.
        started_at: time of that; None before.
        ended_at: time from which no row is decided any more; None before.
        reason: why it failed; None where it did not.
        removed_at: time at which its files were removed; None where they are there.
        counts: of its rows.
    """

    number: int
    status: Status
    file_name: str
    size: int
    sha256: str
    rows: int
    shape: Shape
    mapping: Mapping[str, str] | None
    time_zone: str | None
    created_by: str
    created_at: datetime
    started_by: str | None
    started_at: datetime | None
    ended_at: datetime | None
    reason: str | None
    removed_at: datetime | None
    counts: Counts

    @property
    def is_under_way(self) -> bool:
        """Whether its rows are decided, now or soon."""
        return self.status == "started"

    @property
    def has_files(self) -> bool:
        """Whether the file and what it resulted in can be read."""
        return self.removed_at is None and self.status != "discarded"


def read_upload(engine: Engine, tenant_id: int, number: int) -> Upload:
    """Return an upload.

    Raises:
        NotFound: the tenant has no such upload.
    """
    with tenant_transaction(engine, tenant_id) as connection:
        return find_upload(connection, tenant_id, number)


def find_upload(connection: Connection, tenant_id: int, number: int) -> Upload:
    """Return an upload in the running transaction; errors as of `read_upload`."""
    statement = select(UploadRow).where(
        UploadRow.tenant_id == tenant_id, UploadRow.number == number
    )
    row = connection.execute(statement).one_or_none()
    if row is None:
        raise NotFound("There is no such upload.")
    return _with_counts(connection, tenant_id, [row])[0]


def list_uploads(
    engine: Engine, tenant_id: int, *, limit: int, before: int | None = None
) -> list[Upload]:
    """Return the newest uploads of a tenant, newest first.

    Args:
        engine: pool of connections.
        tenant_id: tenant whose uploads they are.
        limit: most uploads.
        before: number of the upload from which older ones are listed; None: from the newest.
    """
    statement = select(UploadRow).where(UploadRow.tenant_id == tenant_id)
    if before is not None:
        statement = statement.where(UploadRow.number < before)
    statement = statement.order_by(UploadRow.number.desc()).limit(limit)
    with tenant_transaction(engine, tenant_id) as connection:
        return _with_counts(connection, tenant_id, connection.execute(statement).all())


def earlier_uploads(engine: Engine, tenant_id: int, upload: Upload) -> list[int]:
    """Return the numbers of earlier uploads of the same file whose rows were decided."""
    row = UploadRow
    statement = (
        select(row.number)
        .where(
            row.tenant_id == tenant_id,
            row.sha256 == upload.sha256,
            row.number < upload.number,
            row.started_at.is_not(None),
        )
        .order_by(row.number.desc())
        .limit(3)
    )
    with tenant_transaction(engine, tenant_id) as connection:
        return list(connection.execute(statement).scalars())


def counts_of(connection: Connection, tenant_id: int, numbers: Sequence[int]) -> dict[int, Counts]:
    """Return the counts of uploads by number, from their chunks; none without a chunk."""
    row = UploadChunkRow
    statement = (
        select(
            row.number,
            func.sum(row.rows),
            func.sum(row.rejected),
            func.sum(row.repeated),
            func.sum(row.reviewed),
            func.sum(row.declined),
        )
        .where(row.tenant_id == tenant_id, row.number.in_(numbers))
        .group_by(row.number)
    )
    return {number: Counts(*sums) for number, *sums in connection.execute(statement)}


def _with_counts(connection: Connection, tenant_id: int, rows: Sequence[Row[Any]]) -> list[Upload]:
    """Return uploads with their counts, which those that have ended keep themselves."""
    under_way = [row.number for row in rows if row.status == "started"]
    counted = counts_of(connection, tenant_id, under_way) if under_way else {}
    return [
        Upload(
            row.number,
            row.status,
            row.file_name,
            row.size,
            row.sha256,
            row.rows,
            Shape(row.separator, row.has_bom, tuple(row.columns)),
            row.mapping,
            row.time_zone,
            row.created_by,
            row.created_at,
            row.started_by,
            row.started_at,
            row.ended_at,
            row.reason,
            row.removed_at,
            Counts(**row.counts) if row.counts else counted.get(row.number, Counts()),
        )
        for row in rows
    ]
