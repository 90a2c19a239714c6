"""The review routes: the worklist, transactions, feedback and the audit log."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response, StreamingResponse

from api.dependencies import REVIEWER_WITHOUT_PARAMETERS, Admin, CurrentDependencies, Reviewer
from api.openapi_responses import ANYWHERE, TO_QUEUE, links_to_transaction, problems, reference
from api.review import schemas
from api.review.csv_export import csv_header, csv_lines
from api.review.responses import audit_entry, case_detail, case_in_list, feedback
from persistence.review.audit import read_audit
from persistence.review.cases import Case, Page
from persistence.review.search import find_transactions
from persistence.review.worklist import BANDS_OF, Place, add_feedback, read_case, read_worklist
from web.body import read_body
from web.responses import json_reply

EXPORT_PAGE = 1000
"""Rows of an export that are read, and held in memory, at a time."""

REVIEW = APIRouter()


TransactionId = Annotated[UUID, Path(alias="id", description="`transaction_id` of a decision")]


@REVIEW.get(
    "/queue",
    operation_id="read_queue",
    summary="The analysts' worklist, highest risk first",
    response_model=schemas.CasePage,
    responses=problems(*ANYWHERE),
)
async def read_queue(
    query: Annotated[schemas.WorklistQuery, Query()],
    caller: Reviewer,
    dependencies: CurrentDependencies,
) -> Response:
    """Without filters: what the model sent to review and nobody has settled.

    A case is settled by `confirmed_fraud` or `false_positive`; an escalated one stays, with its
    latest feedback. Each case appears once. Scope: review.
    """
    decision = query.decision or (None if query.risk_band else "review")
    bands = [
        band
        for of_decision, its_bands in BANDS_OF.items()
        for band in its_bands
        if decision in (None, of_decision) and query.risk_band in (None, band)
    ]
    asked = (caller.tenant_id, "queue", bands, query.undecided)
    after = None
    if query.cursor is not None:
        score, prediction_id = dependencies.cursors.open(query.cursor, *asked)
        after = Place(score, UUID(prediction_id))
    if not bands:
        return json_reply({"items": [], "next_cursor": None})
    page = await dependencies.ask(
        read_worklist,
        caller.tenant_id,
        bands,
        undecided=query.undecided,
        limit=query.limit,
        after=after,
    )
    return _cases(
        page,
        lambda last: dependencies.cursors.seal(
            [last.decided.prediction.score, last.decided.prediction_id], *asked
        ),
    )


@REVIEW.get(
    "/transactions",
    operation_id="find_transactions",
    summary="Search transactions, newest first",
    response_model=schemas.CasePage,
    responses=problems(*ANYWHERE),
)
async def search(
    query: Annotated[schemas.TransactionsQuery, Query()],
    caller: Reviewer,
    dependencies: CurrentDependencies,
) -> Response:
    """By your own id, account, amount range and time; filters add up.

    An amount by itself needs a time range of 31 days at most. Scope: review.
    """
    wanted = query.to_search()
    asked = (caller.tenant_id, "transactions", wanted)
    before = (
        UUID(dependencies.cursors.open(query.cursor, *asked)[0])
        if query.cursor is not None
        else None
    )
    page = await dependencies.ask(
        find_transactions, caller.tenant_id, wanted, limit=query.limit, before=before
    )
    return _cases(
        page, lambda last: dependencies.cursors.seal([last.decided.transaction_id], *asked)
    )


@REVIEW.get(
    "/transactions.csv",
    operation_id="export_transactions",
    summary="Export transactions as CSV, newest first",
    response_class=Response,
    responses={
        **problems(*ANYWHERE),
        200: {
            "description": "a header and a line a transaction, with its latest feedback; text that "
            "a spreadsheet would take for a formula begins with an apostrophe",
            "content": {"text/csv": {"schema": {"type": "string"}}},
        },
    },
)
async def export(
    query: Annotated[schemas.ExportQuery, Query()],
    caller: Reviewer,
    dependencies: CurrentDependencies,
) -> Response:
    """The same search as one file. Scope: review."""
    wanted = query.to_search()

    async def read(count: int, before: UUID | None) -> Page[Case]:
        return await dependencies.ask(
            find_transactions,
            caller.tenant_id,
            wanted,
            limit=min(EXPORT_PAGE, count),
            before=before,
        )

    # Read before the reply begins: what is wrong can still be said with a status.
    first = await read(query.limit, None)
    return StreamingResponse(
        _lines(first, query.limit, read),
        media_type="text/csv",
        headers={"Content-Disposition": 'attachment; filename="transactions.csv"'},
    )


async def _lines(
    page: Page[Case],
    count: int,
    read: Callable[[int, UUID | None], Awaitable[Page[Case]]],
) -> AsyncIterator[bytes]:
    """Write an export of at most `count` rows page by page; no connection is held in between."""
    yield csv_header()
    while page.entries:
        yield csv_lines(page.entries)
        count -= len(page.entries)
        if not (page.more and count):
            return
        page = await read(count, page.entries[-1].decided.transaction_id)


@REVIEW.get(
    "/transactions/{id}",
    operation_id="read_transaction",
    summary="A transaction, its decision as it was made, its feedback",
    response_model=schemas.CaseDetail,
    responses=problems(404, *ANYWHERE),
    dependencies=REVIEWER_WITHOUT_PARAMETERS,
)
async def read_transaction(
    transaction_id: TransactionId, caller: Reviewer, dependencies: CurrentDependencies
) -> Response:
    """What the analyst sees stays what was decided, after any promotion. Scope: review."""
    case = await dependencies.ask(read_case, caller.tenant_id, transaction_id)
    return json_reply(case_detail(case))


@REVIEW.post(
    "/transactions/{id}/feedback",
    operation_id="give_feedback",
    summary="Say what a transaction was",
    status_code=201,
    response_model=schemas.FeedbackOut,
    responses={
        **problems(404, 413, *ANYWHERE),
        201: {
            "description": "stored",
            "links": {**links_to_transaction("$request.path.id"), "read_queue": TO_QUEUE},
        },
    },
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/json": reference(schemas.FeedbackIn)},
        }
    },
    dependencies=REVIEWER_WITHOUT_PARAMETERS,
)
async def give_feedback(
    transaction_id: TransactionId,
    request: Request,
    caller: Reviewer,
    dependencies: CurrentDependencies,
) -> Response:
    """Earlier feedback is kept; the latest counts. Scope: review."""
    body = await read_body(request, schemas.FeedbackIn)
    stored = await dependencies.ask(
        add_feedback,
        caller.tenant_id,
        transaction_id,
        label=body.label,
        rationale=body.rationale,
        actor=caller.key_prefix,
    )
    return json_reply(feedback(stored), 201)


@REVIEW.get(
    "/audit",
    operation_id="read_audit",
    summary="Who changed what, newest first",
    response_model=schemas.AuditPage,
    responses=problems(*ANYWHERE),
)
async def audit(
    query: Annotated[schemas.AuditQuery, Query()], caller: Admin, dependencies: CurrentDependencies
) -> Response:
    """Keys, promotions, feedback: before and after, by whom. Scope: admin."""
    asked = (caller.tenant_id, "audit", query.action)
    (before_id,) = (
        dependencies.cursors.open(query.cursor, *asked) if query.cursor is not None else (None,)
    )
    page = await dependencies.ask(
        read_audit, caller.tenant_id, action=query.action, limit=query.limit, before_id=before_id
    )
    next_cursor = dependencies.cursors.seal([page.entries[-1].id], *asked) if page.more else None
    return json_reply(
        {"items": [audit_entry(entry) for entry in page.entries], "next_cursor": next_cursor}
    )


def _cases(page: Page[Case], cursor_after: Callable[[Case], str]) -> Response:
    return json_reply(
        {
            "items": [case_in_list(case) for case in page.entries],
            "next_cursor": cursor_after(page.entries[-1]) if page.more and page.entries else None,
        }
    )
