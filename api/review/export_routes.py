"""The route that exports a search as CSV, page by page."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.datastructures import MutableHeaders
from starlette.responses import Response, StreamingResponse

from api.dependencies import CurrentDependencies, Reviewer
from api.openapi_responses import ANYWHERE, NEXT_PAGE, problems
from api.review import examples, schemas
from api.review.csv_export import CsvExport
from api.review.search_query import to_search, transaction_before
from persistence.event_types import current_event_type
from persistence.review.cases import Case
from persistence.review.search import ID_BYTES, SearchReader, find_ids, read_transactions
from scoring.transaction import PAYSIM

EXPORT_PAGE = 1000
"""Rows of an export that are read, and held in memory, at a time."""

router = APIRouter(tags=["Review"])


@router.get(
    "/transactions.csv",
    operation_id="export_transactions",
    summary="Export transactions as CSV, newest first",
    response_class=Response,
    responses={
        **problems(*ANYWHERE),
        200: {
            "description": "a header and a line a transaction, with its latest feedback; text that "
            "a spreadsheet would take for a formula begins with an apostrophe; where more rows "
            "follow, a last line whose first cell says so",
            "headers": NEXT_PAGE,
            "content": {"text/csv": {"schema": {"type": "string"}, "example": examples.CSV}},
        },
    },
)
async def export_transactions(
    query: Annotated[schemas.ExportQuery, Query()],
    caller: Reviewer,
    dependencies: CurrentDependencies,
    request: Request,
) -> StreamingResponse:
    """The same search as one file. Scope: review."""
    search = to_search(query)
    cursor_key = (caller.tenant_id, "transactions", search)
    before = transaction_before(dependencies, query.cursor, *cursor_key)
    ids, last = await dependencies.run(
        find_ids,
        caller.tenant_id,
        search,
        limit=query.limit,
        before=before,
        reader=SearchReader(caller.actor, "transactions.exported"),
    )
    headers = MutableHeaders({"Content-Disposition": 'attachment; filename="transactions.csv"'})
    next_cursor = dependencies.cursors.seal_next(
        headers, request.query_params, None if last is None else [last], *cursor_key
    )
    part_bytes = EXPORT_PAGE * ID_BYTES

    async def read(start: int) -> list[Case]:
        part = ids[start : start + part_bytes]
        return await dependencies.run(read_transactions, caller.tenant_id, part)

    # Read before the reply begins, while a failure can still have a status of its own.
    first = await read(0)
    stored_type = await dependencies.run(current_event_type, caller.tenant_id)
    export = CsvExport(stored_type.event_type if stored_type else PAYSIM)
    rest = range(part_bytes, len(ids), part_bytes)
    lines = _lines(export, first, rest, read, next_cursor)
    return StreamingResponse(lines, media_type="text/csv", headers=headers)


async def _lines(
    export: CsvExport,
    first: list[Case],
    starts: Iterable[int],
    read: Callable[[int], Awaitable[list[Case]]],
    next_cursor: str | None,
) -> AsyncIterator[bytes]:
    """Yield an export page by page; no connection is held in between.

    Args:
        export: columns.
        first: cases of the first page.
        starts: beginnings of the other pages.
        read: reader of the page that begins there.
        next_cursor: cursor of the rows after the last page.
    """
    yield export.header()
    yield export.lines(first)
    for start in starts:
        yield export.lines(await read(start))
    if next_cursor is not None:
        yield export.more(next_cursor)
