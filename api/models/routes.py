"""The routes of the model's life: the policy in force, the tuner, the versions that serve.

Mounted by `api/review/routes.py` beside its own.
"""

from __future__ import annotations

from typing import Annotated

from anyio import to_thread
from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from api.dependencies import (
    ADMIN_WITHOUT_PARAMETERS,
    REVIEWER_WITHOUT_PARAMETERS,
    Admin,
    ApiDependencies,
    CurrentDependencies,
    Reviewer,
)
from api.models import policy_schemas, schemas
from api.models import responses as lifecycle_replies
from api.models.effective_policy import TenantDeployment, read_deployment
from api.models.matured_decisions import Compared, compare_versions, look
from api.models.threshold_tuning import tune
from api.openapi_responses import ANYWHERE, problems, reference
from persistence.deployments import list_refusals
from persistence.policies import set_policy
from web.body import read_body
from web.responses import json_reply

MAX_REFUSALS = 50

LIFECYCLE = APIRouter()


@LIFECYCLE.get(
    "/policy",
    operation_id="read_policy",
    summary="The policy in force for new decisions",
    response_model=policy_schemas.PolicyOut,
    responses=problems(*ANYWHERE),
    dependencies=REVIEWER_WITHOUT_PARAMETERS,
)
async def read_policy(caller: Reviewer, dependencies: CurrentDependencies) -> Response:
    """The tenant's own, or that of the version in production. Scope: review."""
    deployment = await dependencies.ask(read_deployment, caller.tenant_id)
    return json_reply(lifecycle_replies.policy(deployment.in_force()))


@LIFECYCLE.put(
    "/policy",
    operation_id="set_policy",
    summary="Change threshold, band or costs at once",
    response_model=policy_schemas.PolicyOut,
    responses=problems(413, *ANYWHERE),
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/json": reference(policy_schemas.PolicyIn)},
        }
    },
    dependencies=ADMIN_WITHOUT_PARAMETERS,
)
async def change_policy(
    request: Request, caller: Admin, dependencies: CurrentDependencies
) -> Response:
    """Overrides every version's own policy, across promotions, until it is withdrawn.

    Decisions that are stored keep the numbers they were made with. Scope: admin.
    """
    body = await read_body(request, policy_schemas.PolicyIn)
    deployment = await dependencies.ask(read_deployment, caller.tenant_id)
    wanted = body.on(deployment.in_force().policy)
    if not (deployment.set_policy and deployment.set_policy.policy == wanted):
        await dependencies.ask(set_policy, caller.tenant_id, wanted, caller.key_prefix)
    return await _in_force(dependencies, caller.tenant_id)


@LIFECYCLE.delete(
    "/policy",
    operation_id="withdraw_policy",
    summary="Go back to the policy of the version in production",
    response_model=policy_schemas.PolicyOut,
    responses=problems(*ANYWHERE),
    dependencies=ADMIN_WITHOUT_PARAMETERS,
)
async def withdraw_policy(caller: Admin, dependencies: CurrentDependencies) -> Response:
    """Each version decides by its own policy again. Scope: admin."""
    deployment = await dependencies.ask(read_deployment, caller.tenant_id)
    if deployment.has_own_policy:
        await dependencies.ask(set_policy, caller.tenant_id, None, caller.key_prefix)
    return await _in_force(dependencies, caller.tenant_id)


async def _in_force(dependencies: ApiDependencies, tenant_id: int) -> Response:
    """Put what Postgres has in force here, and tell it."""
    await dependencies.refresh_policy(tenant_id)
    deployment: TenantDeployment = await dependencies.ask(read_deployment, tenant_id)
    return json_reply(lifecycle_replies.policy(deployment.in_force()))


@LIFECYCLE.get(
    "/tuner",
    operation_id="read_tuner",
    summary="What each threshold would have done",
    response_model=schemas.TunerReply,
    responses=problems(*ANYWHERE),
)
async def read_tuner(
    query: Annotated[schemas.TunerQuery, Query()],
    caller: Reviewer,
    dependencies: CurrentDependencies,
) -> Response:
    """On matured decisions and what analysts said of them, at the scores as stored.

    What is escalated is left out; what nobody settled is presumed honest. Scope: review.
    """
    deployment = await dependencies.ask(read_deployment, caller.tenant_id)
    policy = deployment.in_force().policy
    costs = query.on(policy.cost_model)
    looked, matured = await dependencies.study(
        look, caller.tenant_id, query.maturity_days, query.window_days
    )
    tuning = await to_thread.run_sync(tune, matured, costs, policy.threshold)
    return json_reply(lifecycle_replies.tuner(looked, costs, tuning))


@LIFECYCLE.get(
    "/models",
    operation_id="read_models",
    summary="The versions that serve, and how the challenger does",
    response_model=schemas.ModelsReply,
    responses=problems(*ANYWHERE),
)
async def read_models(
    query: Annotated[schemas.MaturedQuery, Query()],
    caller: Reviewer,
    dependencies: CurrentDependencies,
) -> Response:
    """Champion and challenger are compared on the matured decisions that both scored.

    Scope: review.
    """
    deployment = await dependencies.ask(read_deployment, caller.tenant_id)
    refusals = await dependencies.ask(list_refusals, caller.tenant_id, MAX_REFUSALS)
    compared = await _compared(dependencies, caller.tenant_id, deployment, query)
    found, note = (None, compared) if isinstance(compared, str) else (compared, None)
    return json_reply(lifecycle_replies.models(deployment, refusals, found, note))


async def _compared(
    dependencies: ApiDependencies,
    tenant_id: int,
    deployment: TenantDeployment,
    query: schemas.MaturedQuery,
) -> Compared | str:
    if deployment.production is None:
        return "No model version is in production, so there is nothing to challenge."
    if deployment.challenger is None:
        return "No model version is under the alias `challenger`."
    return await dependencies.study(
        compare_versions,
        tenant_id,
        deployment.production.model,
        deployment.challenger.model,
        deployment.in_force().policy.cost_model,
        query.maturity_days,
        query.window_days,
    )
