"""The scoring routes as operations of the OpenAPI document.

BentoML serves these routes (`service.py`), so FastAPI only documents them: nobody calls the
functions below.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Header

from api.idempotency import IDEMPOTENT, REPLAYED_HEADER
from api.openapi_responses import (
    ANYWHERE,
    SCORING,
    WITH_BODY,
    links_to_transaction,
    problems,
    reply,
)
from api.request_body import BodyReader, JsonBody
from app import scoring_examples as examples
from scoring.errors import NoModel
from serving.schemas import (
    BatchReply,
    BatchRequest,
    ExplainReply,
    ExplainRequest,
    ScoreReply,
    TransactionIn,
)
from web.schemas import Absent, ExternalId

router = APIRouter(tags=["Scoring"])


@router.post(
    "/score",
    operation_id="score",
    summary="Decide one transaction",
    description="Scores, explains, decides and stores it before replying. The same `external_id` "
    "(or Idempotency-Key header) and body return the stored decision. Scope: score.",
    response_model=ScoreReply,
    responses={
        **problems(404, 409, *WITH_BODY, *ANYWHERE, *SCORING),
        200: {
            **reply(description="decided and stored", **examples.SCORED),
            "headers": REPLAYED_HEADER,
            "links": links_to_transaction("$response.body#/transaction_id"),
        },
    },
)
def _score(
    _body: Annotated[BodyReader[TransactionIn], Depends(JsonBody(TransactionIn, examples.SCORE))],
    _key: Annotated[
        ExternalId | Absent,
        Header(
            alias="Idempotency-Key",
            description="stands in for `external_id` when the body has none; where both are "
            "sent they must be the same",
        ),
    ] = None,
) -> None:
    """Decide one transaction."""


@router.post(
    "/score/batch",
    operation_id="score_batch",
    summary="Decide up to 1000 transactions",
    response_model=BatchReply,
    responses={
        **problems(404, 409, *WITH_BODY, *ANYWHERE, *SCORING),
        200: {
            **reply(description="decided and stored", **examples.BATCH_SCORED),
            "headers": REPLAYED_HEADER,
        },
    },
    openapi_extra=IDEMPOTENT,
)
def _score_batch(
    _body: Annotated[BodyReader[BatchRequest], Depends(JsonBody(BatchRequest, examples.BATCH))],
) -> None:
    """All are stored or none; one bad row refuses the request and is named. Scope: score."""


@router.post(
    "/explain",
    operation_id="explain",
    summary="Explain a transaction or a stored prediction",
    response_model=ExplainReply,
    responses={
        **problems(404, *WITH_BODY, *ANYWHERE, NoModel),
        200: reply(description="explained", **examples.EXPLAINED),
    },
)
def _explain(
    _body: Annotated[
        BodyReader[ExplainRequest], Depends(JsonBody(ExplainRequest, examples.EXPLAIN))
    ],
) -> None:
    """Every feature's contribution, and the reasons as sentences. Scope: score or review."""
