"""The route that exports a search as CSV, page by page."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.datastructures import MutableHeaders
from starlette.responses import Response, StreamingResponse

from api.dependencies import CurrentDependencies, Reviewer
from api.openapi_responses import ANYWHERE, NEXT_PAGE, problems
from api.review import examples, schemas
from api.review.export_lines import csv_of
from api.review.search_query import to_search, transaction_before
from persistence.review.search import SearchReader, find_ids

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
    lines = await csv_of(dependencies, caller.tenant_id, ids, next_cursor)
    return StreamingResponse(lines, media_type="text/csv", headers=headers)
