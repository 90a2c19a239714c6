"""The route of drift: what `sentinel monitor` found. Mounted by `api/review.py` beside its own."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from api import drift_replies, drift_schemas
from api.desk import REVIEWER_WITHOUT_PARAMETERS, Here, Reviewer
from api.documented import ANYWHERE, problems
from api.replies import json_reply
from persistence.drift.checks import latest_run

DRIFT = APIRouter()


@DRIFT.get(
    "/drift",
    operation_id="read_drift",
    summary="How far predictions are from training",
    response_model=drift_schemas.DriftReply,
    responses=problems(*ANYWHERE),
    dependencies=REVIEWER_WITHOUT_PARAMETERS,
)
async def read_drift(caller: Reviewer, desk: Here) -> Response:
    """Each version is compared with its own training distribution, feature by feature.

    As of the latest run of `sentinel monitor`; nothing is computed here. Scope: review.
    """
    run = await desk.ask(latest_run, caller.tenant_id)
    return json_reply(drift_replies.drift(run))
