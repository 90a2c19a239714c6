"""The lines of an export: transactions are read page by page, while the reply is sent."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable

from api.dependencies import ApiDependencies
from api.review.csv_export import CsvExport
from persistence.event_types import current_event_type
from persistence.review.cases import Case
from persistence.review.search import ID_BYTES, read_transactions
from scoring.transaction import PAYSIM

EXPORT_PAGE = 1000
"""Rows of an export that are read, and held in memory, at a time."""


async def csv_of(
    dependencies: ApiDependencies, tenant_id: int, ids: bytes, next_cursor: str | None = None
) -> AsyncIterator[bytes]:
    """Return the lines of transactions as CSV; the first page is read before this returns.

    Args:
        dependencies: what the management routes need.
        tenant_id: tenant whose transactions they are.
        ids: ids as `find_ids` returns them.
        next_cursor: cursor of the rows after the last one; None where there is none.
    """
    part_bytes = EXPORT_PAGE * ID_BYTES

    async def read(start: int) -> list[Case]:
        part = ids[start : start + part_bytes]
        return await dependencies.run(read_transactions, tenant_id, part)

    # Read before the reply begins, while a failure can still have a status of its own.
    first = await read(0)
    stored_type = await dependencies.run(current_event_type, tenant_id)
    export = CsvExport(stored_type.event_type if stored_type else PAYSIM)
    rest = range(part_bytes, len(ids), part_bytes)
    return _lines(export, first, rest, read, len(ids) // ID_BYTES, next_cursor)


async def _lines(
    export: CsvExport,
    first: list[Case],
    starts: Iterable[int],
    read: Callable[[int], Awaitable[list[Case]]],
    expected: int,
    next_cursor: str | None,
) -> AsyncIterator[bytes]:
    """Yield an export page by page; no connection is held in between.

    Args:
        export: columns.
        first: cases of the first page.
        starts: beginnings of the other pages.
        read: reader of the page that begins there.
        expected: number of rows that the search found.
        next_cursor: cursor of the rows after the last page.
    """
    yield export.header()
    yield export.lines(first)
    missing = expected - len(first)
    for start in starts:
        cases = await read(start)
        missing -= len(cases)
        yield export.lines(cases)
    if missing:
        yield export.gone(missing)
    if next_cursor is not None:
        yield export.more(next_cursor)
