"""The labels route: what events turned out to be."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from sqlalchemy import Connection
from starlette.responses import Response

from api.dependencies import REVIEWER_WITHOUT_PARAMETERS, CurrentDependencies, Reviewer
from api.idempotency import IDEMPOTENT, REPLAYED_HEADER, write
from api.labels import examples
from api.labels.new_labels import early_labels, new_labels, unknown_events
from api.labels.responses import labels_out
from api.labels.schemas import LabelsIn, LabelsOut
from api.openapi_responses import (
    ANYWHERE,
    TO_QUEUE,
    WITH_BODY,
    links_to_transaction,
    problems,
    reply,
)
from api.request_body import BodyReader, JsonBody
from persistence.labels.history import latest_labels
from persistence.labels.writer import read_stored, store_labels
from scoring.errors import IdempotencyMismatch
from scoring.labels import effective_label
from web.body import MAX_BATCH_BODY_BYTES

router = APIRouter(tags=["Review"])

_BODY = JsonBody(
    LabelsIn,
    {"a_chargeback": examples.A_CHARGEBACK, "a_dispute_that_was_won": examples.A_DISPUTE_WON},
    max_bytes=MAX_BATCH_BODY_BYTES,
)


@router.post(
    "/labels",
    operation_id="store_labels",
    summary="Report what up to 1000 events turned out to be",
    status_code=201,
    responses={
        **problems(404, 409, *WITH_BODY, *ANYWHERE, IdempotencyMismatch),
        201: {
            **reply(description="stored", a_chargeback=examples.STORED),
            "headers": REPLAYED_HEADER,
            "links": {
                **links_to_transaction("$response.body#/labels/0/transaction_id"),
                "read_queue": TO_QUEUE,
            },
        },
    },
    openapi_extra=IDEMPOTENT,
    response_model=LabelsOut,
    dependencies=REVIEWER_WITHOUT_PARAMETERS,
)
async def post_labels(
    read_labels: Annotated[BodyReader[LabelsIn], Depends(_BODY)],
    caller: Reviewer,
    dependencies: CurrentDependencies,
    request: Request,
) -> Response:
    """All are stored or none; an event that is not there is 404 and named.

    All labels are kept, and the latest of the most trusted source counts. A label that is stored
    already, with its source and `occurred_at`, is not stored again. The worklist does not change:
    feedback settles a case. Scope: review.
    """
    body = await read_labels()
    labels = new_labels(body.labels, datetime.now(UTC))

    def store(connection: Connection) -> LabelsOut:
        outcome = store_labels(connection, caller.tenant_id, labels, caller.actor)
        if outcome.unknown:
            raise unknown_events(labels, outcome.unknown)
        if outcome.early:
            raise early_labels(outcome.early)
        stored = read_stored(connection, caller.tenant_id, labels)
        latest = latest_labels(connection, caller.tenant_id, list({event for event, _ in stored}))
        return labels_out(
            stored, {event: effective_label(of_event) for event, of_event in latest.items()}
        )

    return await write(dependencies, request, caller, body, store, status=201)
