"""Read an uploaded file and the files that it resulted in, part by part."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

from sqlalchemy import Connection, Engine, select

from persistence.access_log import UPLOAD_EXPORTED, UPLOAD_READ, log_access, upload_object
from persistence.actor import Actor
from persistence.tables.uploads import UploadChunkRow, UploadPartRow, UploadRow
from persistence.tenancy import tenant_transaction
from persistence.uploads.facts import Upload, find_upload
from scoring.errors import NotFound

Result = Literal["results", "rejects"]
LINES_AT_ONCE = 40
"""Chunks whose lines are read in one transaction."""


class RejectedRow(NamedTuple):
    """A row that was rejected.

    Attributes:
        row: its number, from 1 below the header.
        line: line of the file on which it begins; None where it is not known.
        faults: column, field and reason of each thing that is wrong.
    """

    row: int
    line: int | None
    faults: Sequence[Sequence[str]]


class StoredFile(io.RawIOBase):
    """An uploaded file as a stream; each part is read when it is needed.

    Args:
        engine: pool of connections.
        tenant_id: tenant whose upload it is.
        number: number of the upload.
    """

    def __init__(self, engine: Engine, tenant_id: int, number: int) -> None:
        self._of = engine, tenant_id, number
        self._next = 0
        self._rest = b""

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401 - any writable buffer
        """Fill a buffer with the next bytes; return how many, 0 at the end."""
        if not self._rest:
            self._rest = read_part(*self._of, self._next)
            self._next += 1
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count


def read_part(engine: Engine, tenant_id: int, number: int, part: int) -> bytes:
    """Return a part of an uploaded file; empty behind the last one.

    Raises:
        NotFound: the file was removed.
    """
    row = UploadPartRow
    statement = select(row.content).where(
        row.tenant_id == tenant_id, row.number == number, row.part == part
    )
    with tenant_transaction(engine, tenant_id) as connection:
        found = connection.execute(statement).scalar_one_or_none()
        if found is None:
            _check_files(connection, tenant_id, number)
        return found or b""


def read_lines(
    engine: Engine, tenant_id: int, number: int, which: Result, after: int
) -> tuple[bytes, int | None]:
    """Return the next lines of a file that an upload resulted in, and the row to go on after.

    Args:
        engine: pool of connections.
        tenant_id: tenant whose upload it is.
        number: number of the upload.
        which: file.
        after: first row of the chunk whose lines were read last; 0 at the beginning.

    Returns:
        Lines, and `after` of the next call; None where these are the last ones.

    Raises:
        NotFound: the files were removed, maybe since the call before, so that none are left.
    """
    row = UploadChunkRow
    statement = select(row.first_row, getattr(row, which)).where(
        row.tenant_id == tenant_id, row.number == number, row.first_row > after
    )
    if which == "rejects":
        statement = statement.where(row.rejected > 0)
    statement = statement.order_by(row.first_row).limit(LINES_AT_ONCE)
    with tenant_transaction(engine, tenant_id) as connection:
        found = connection.execute(statement).all()
        _check_files(connection, tenant_id, number)
    lines = b"".join(content for _, content in found)
    return lines, found[-1][0] if len(found) == LINES_AT_ONCE else None


def open_files(
    engine: Engine, tenant_id: int, number: int, *, reader: Actor, file: str | None
) -> Upload:
    """Return an upload whose files are about to be read, and log who reads them.

    Args:
        engine: pool of connections.
        tenant_id: tenant whose upload it is.
        number: number of the upload.
        reader: person whom the access log names.
        file: file that is exported; None: the first rows are shown.

    Raises:
        NotFound: the tenant has no such upload, or its files were removed.
    """
    with tenant_transaction(engine, tenant_id) as connection:
        upload = find_upload(connection, tenant_id, number)
        if not upload.has_files:
            raise NotFound("The files of the upload were removed.")
        action, details = (UPLOAD_EXPORTED, {"file": file}) if file else (UPLOAD_READ, None)
        log_access(connection, tenant_id, reader, action, upload_object(number), details)
        return upload


def _check_files(connection: Connection, tenant_id: int, number: int) -> None:
    """Check that an upload has its files; asked behind the reading, that nothing is missed."""
    row = UploadRow
    has_files = select(row.removed_at.is_(None)).where(
        row.tenant_id == tenant_id, row.number == number
    )
    if not connection.execute(has_files).scalar_one_or_none():
        raise NotFound("The files of the upload were removed.")


def rejected_rows(
    engine: Engine, tenant_id: int, number: int, *, after: int, limit: int
) -> list[RejectedRow]:
    """Return rejected rows in the order of the file.

    Args:
        engine: pool of connections.
        tenant_id: tenant whose upload it is.
        number: number of the upload.
        after: number of the row behind which they are.
        limit: most rows.
    """
    row = UploadChunkRow
    statement = (
        select(row.faults)
        .where(
            row.tenant_id == tenant_id,
            row.number == number,
            row.rejected > 0,
            row.first_row + row.rows > after + 1,
        )
        .order_by(row.first_row)
        .limit(limit + 1)  # the first one may have rows up to `after` only
    )
    found: list[RejectedRow] = []
    with tenant_transaction(engine, tenant_id) as connection:
        for faults in connection.execute(statement).scalars():
            found += [RejectedRow(*one) for one in faults if one[0] > after]
    return found[:limit]
