"""The routes of an analyst: the worklist, search, a case and its feedback."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Request
from sqlalchemy import Connection
from starlette.responses import Response

from api.dependencies import (
    REVIEWER_WITHOUT_PARAMETERS,
    CurrentDependencies,
    Reviewer,
)
from api.idempotency import IDEMPOTENT, REPLAYED_HEADER, write
from api.openapi_responses import (
    ANYWHERE,
    NEXT_PAGE,
    TO_QUEUE,
    WITH_BODY,
    links_to_transaction,
    problems,
    reply,
)
from api.request_body import BodyReader, JsonBody
from api.review import examples, schemas
from api.review.responses import case_detail, case_page, feedback_out
from api.review.search_query import to_search, transaction_before
from persistence.review.search import (
    SearchReader,
    find_transactions,
)
from persistence.review.worklist import Place, add_feedback, read_case, read_worklist
from scoring.errors import IdempotencyMismatch

router = APIRouter(tags=["Review"])

TransactionId = Annotated[UUID, Path(alias="id", description="`transaction_id` of a decision")]


@router.get(
    "/queue",
    operation_id="read_queue",
    summary="The analysts' worklist, highest risk first",
    responses={
        **problems(*ANYWHERE),
        200: {
            **reply(description="a page of the worklist", test_payments=examples.WORKLIST),
            "headers": NEXT_PAGE,
        },
    },
)
async def read_queue(
    query: Annotated[schemas.WorklistQuery, Query()],
    caller: Reviewer,
    dependencies: CurrentDependencies,
    request: Request,
    response: Response,
) -> schemas.CasePage:
    """Without filters: what the model or a rule sent to review and nobody has settled.

    A case is settled by `confirmed_fraud` or `false_positive`; an escalated one stays, with its
    latest feedback. Each case appears once. Scope: review.
    """
    cursor_key = (caller.tenant_id, "queue", query.cursor_key(), query.undecided)
    after = None
    if query.cursor is not None:
        score, prediction_id = dependencies.cursors.open(query.cursor, *cursor_key)
        after = Place(score, UUID(prediction_id))
    page = await dependencies.run(
        read_worklist,
        caller.tenant_id,
        query.kinds(),
        undecided=query.undecided,
        limit=query.limit,
        after=after,
    )
    position = None if page.next is None else [page.next.score, page.next.prediction_id]
    next_cursor = dependencies.cursors.seal_next(
        response.headers, request.query_params, position, *cursor_key
    )
    return case_page(page, next_cursor)


@router.get(
    "/transactions",
    operation_id="find_transactions",
    summary="Search transactions, newest first",
    responses={
        **problems(*ANYWHERE),
        200: {
            **reply(description="a page of what was found", one_that_is_settled=examples.FOUND),
            "headers": NEXT_PAGE,
        },
    },
)
async def search_transactions(
    query: Annotated[schemas.TransactionsQuery, Query()],
    caller: Reviewer,
    dependencies: CurrentDependencies,
    request: Request,
    response: Response,
) -> schemas.CasePage:
    """By your own id, account, amount range and time; filters add up.

    An amount by itself needs a time range of 31 days at most. Scope: review.
    """
    search = to_search(query)
    cursor_key = (caller.tenant_id, "transactions", search)
    before = transaction_before(dependencies, query.cursor, *cursor_key)
    page = await dependencies.run(
        find_transactions,
        caller.tenant_id,
        search,
        limit=query.limit,
        before=before,
        reader=SearchReader(caller.actor, "transactions.searched"),
    )
    position = None if page.next is None else [page.next]
    next_cursor = dependencies.cursors.seal_next(
        response.headers, request.query_params, position, *cursor_key
    )
    return case_page(page, next_cursor)


@router.get(
    "/transactions/{id}",
    operation_id="read_transaction",
    summary="A transaction, its decision as it was made, its feedback",
    responses={
        **problems(404, *ANYWHERE),
        200: reply(description="the case", one_that_is_settled=examples.CASE),
    },
    dependencies=REVIEWER_WITHOUT_PARAMETERS,
)
async def read_transaction(
    transaction_id: TransactionId, caller: Reviewer, dependencies: CurrentDependencies
) -> schemas.CaseDetail:
    """What the analyst sees stays what was decided, after any promotion. Scope: review."""
    case = await dependencies.run(read_case, caller.tenant_id, transaction_id, reader=caller.actor)
    return case_detail(case)


@router.post(
    "/transactions/{id}/feedback",
    operation_id="give_feedback",
    summary="Say what a transaction was",
    status_code=201,
    responses={
        **problems(404, 409, *WITH_BODY, *ANYWHERE, IdempotencyMismatch),
        201: {
            **reply(description="stored", feedback=examples.STORED_FEEDBACK),
            "headers": REPLAYED_HEADER,
            "links": {**links_to_transaction("$request.path.id"), "read_queue": TO_QUEUE},
        },
    },
    openapi_extra=IDEMPOTENT,
    response_model=schemas.FeedbackOut,
    dependencies=REVIEWER_WITHOUT_PARAMETERS,
)
async def give_feedback(
    transaction_id: TransactionId,
    read_feedback: Annotated[BodyReader[schemas.FeedbackIn], Depends(JsonBody(schemas.FeedbackIn))],
    caller: Reviewer,
    dependencies: CurrentDependencies,
    request: Request,
) -> Response:
    """Earlier feedback is kept; the latest counts. Scope: review."""
    feedback = await read_feedback()

    def add(connection: Connection) -> schemas.FeedbackOut:
        stored = add_feedback(
            connection,
            caller.tenant_id,
            transaction_id,
            label=feedback.label,
            rationale=feedback.rationale,
            actor=caller.actor,
        )
        return feedback_out(stored)

    return await write(dependencies, request, caller, feedback, add, status=201)
