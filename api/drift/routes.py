"""GET /drift: the latest run of `sentinel monitor`."""

from __future__ import annotations

from fastapi import APIRouter

from api.dependencies import REVIEWER_WITHOUT_PARAMETERS, CurrentDependencies, Reviewer
from api.drift.responses import drift_reply
from api.drift.schemas import DriftReply
from api.openapi_responses import ANYWHERE, problems
from persistence.drift.checks import latest_run

router = APIRouter(tags=["Drift"])


@router.get(
    "/drift",
    operation_id="read_drift",
    summary="How far predictions are from training",
    responses=problems(*ANYWHERE),
    dependencies=REVIEWER_WITHOUT_PARAMETERS,
)
async def read_drift(caller: Reviewer, dependencies: CurrentDependencies) -> DriftReply:
    """Each version is compared with its own training distribution, feature by feature.

    As of the latest run of `sentinel monitor`; nothing is computed here. Scope: review.
    """
    return drift_reply(await dependencies.run(latest_run, caller.tenant_id))
