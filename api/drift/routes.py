"""GET /drift: what `sentinel monitor` found."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from api.dependencies import REVIEWER_WITHOUT_PARAMETERS, CurrentDependencies, Reviewer
from api.drift import responses as drift_replies
from api.drift import schemas
from api.openapi_responses import ANYWHERE, problems
from persistence.drift.checks import latest_run
from web.responses import json_reply

DRIFT = APIRouter()


@DRIFT.get(
    "/drift",
    operation_id="read_drift",
    summary="How far predictions are from training",
    response_model=schemas.DriftReply,
    responses=problems(*ANYWHERE),
    dependencies=REVIEWER_WITHOUT_PARAMETERS,
)
async def read_drift(caller: Reviewer, dependencies: CurrentDependencies) -> Response:
    """Each version is compared with its own training distribution, feature by feature.

    As of the latest run of `sentinel monitor`; nothing is computed here. Scope: review.
    """
    run = await dependencies.ask(latest_run, caller.tenant_id)
    return json_reply(drift_replies.drift(run))
