"""Store an uploaded file as it was sent, in parts."""

from __future__ import annotations

import time
from hashlib import sha256
from typing import BinaryIO

from sqlalchemy import Connection, Engine, func, insert, select, text

from persistence.actor import Actor
from persistence.tables.uploads import MAX_SIZE as MAX_SIZE
from persistence.tables.uploads import UploadLeaseRow, UploadPartRow, UploadRow
from persistence.tenancy import tenant_transaction
from scoring.errors import FieldError, InvalidRequest, PayloadTooLarge
from scoring.tables.csv_rows import TableFileError
from scoring.uploads.table import Shape, rows_of, shape_of

MAX_ROWS = 100_000
"""Rows of a file."""
MAX_OPEN = 10
"""Uploads of a tenant that have not ended."""
PART_BYTES = 262_144
_REST_AFTER_ROWS = 500
_REST_S = 0.002
"""A rest for payments, which share the process, after as many rows as take about 2 ms to check."""

_LOCK = text("SELECT pg_advisory_xact_lock(:purpose, hashint8(:tenant_id))")
_LOCK_PURPOSE = 0x53E4C
"""First number of the advisory locks of uploads; cases and others have others."""


def store_upload(
    engine: Engine,
    tenant_id: int,
    file: BinaryIO,
    name: str,
    expected: tuple[str, ...],
    *,
    actor: Actor,
) -> int:
    """Check that a file is a table, store it, and return the number of the upload.

    Args:
        engine: pool of connections.
        tenant_id: tenant whose upload it is.
        file: file at its beginning.
        name: name that it was sent with.
        expected: names of fields, by which the separator is recognised.
        actor: person who sends it.

    Raises:
        InvalidRequest: it is no table, has no row or too many, or too many uploads are open.
        PayloadTooLarge: it has more than MAX_SIZE bytes.
    """
    size = file.seek(0, 2)
    file.seek(0)
    if size > MAX_SIZE:
        raise PayloadTooLarge(
            f"The file has {size:,} bytes; at most {MAX_SIZE:,} are taken. Split it."
        )
    try:
        shape = shape_of(file, expected)
        rows = _count_rows(file, shape)
    except TableFileError as error:
        raise refused(str(error)) from error
    file.seek(0)
    digest = sha256()
    while part := file.read(PART_BYTES):
        digest.update(part)
    with tenant_transaction(engine, tenant_id, actor=actor) as connection:
        connection.execute(_LOCK, {"purpose": _LOCK_PURPOSE, "tenant_id": tenant_id})
        number = _next_number(connection, tenant_id)
        key = {"tenant_id": tenant_id, "number": number}
        connection.execute(
            insert(UploadRow).values(
                **key,
                file_name=name,
                size=size,
                sha256=digest.hexdigest(),
                rows=rows,
                separator=shape.separator,
                has_bom=shape.has_bom,
                columns=list(shape.columns),
                created_by=actor.name,
            )
        )
        connection.execute(insert(UploadLeaseRow).values(**key))
        file.seek(0)
        place = 0
        while part := file.read(PART_BYTES):
            connection.execute(insert(UploadPartRow).values(**key, part=place, content=part))
            place += 1
    return number


def refused(message: str) -> InvalidRequest:
    """Return the error of a file that is not taken."""
    return InvalidRequest(message, errors=(FieldError("file", message),))


def _count_rows(file: BinaryIO, shape: Shape) -> int:
    """Read every row, so that a quote that is not closed is found before anything is decided."""
    count = 0
    for row in rows_of(file, shape.separator):
        count = row.number
        if count > MAX_ROWS:
            raise refused(f"The file has more than {MAX_ROWS:,} rows. Split it.")
        if count % _REST_AFTER_ROWS == 0:
            time.sleep(_REST_S)
    if count == 0:
        raise refused("The file has a header and no row below it.")
    return count


def _next_number(connection: Connection, tenant_id: int) -> int:
    """Return the number of the next upload.

    Raises:
        InvalidRequest: MAX_OPEN have not ended.
    """
    row = UploadRow
    of_tenant = select(func.count()).where(row.tenant_id == tenant_id, row.ended_at.is_(None))
    if connection.execute(of_tenant).scalar_one() >= MAX_OPEN:
        raise refused(
            f"{MAX_OPEN} uploads are waiting or under way already, which is the most. Wait until "
            "one has ended, or discard one that was not started."
        )
    newest = select(func.max(row.number)).where(row.tenant_id == tenant_id)
    return (connection.execute(newest).scalar_one() or 0) + 1
