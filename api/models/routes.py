"""The routes of models and policy: the policy in force, the tuner, the versions that serve."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Annotated

from anyio import to_thread
from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel
from sqlalchemy import Connection
from starlette.responses import Response

from api.dependencies import (
    ADMIN_WITHOUT_PARAMETERS,
    REVIEWER_WITHOUT_PARAMETERS,
    Admin,
    ApiDependencies,
    CurrentDependencies,
    Reviewer,
)
from api.idempotency import IDEMPOTENT, REPLAYED_HEADER, write
from api.models.effective_policy import TenantDeployment, change_policy, read_deployment
from api.models.pair_tuning import tune_pairs
from api.models.policy_change import changed_policy
from api.models.policy_schemas import PolicyIn, PolicyOut, PolicyProposalOut
from api.models.proposal_routes import PROPOSED
from api.models.responses import models_reply, policy_out, proposal_out, tuner_reply
from api.models.schemas import MaturedQuery, ModelsReply, TunerQuery, TunerReply
from api.models.studies import compare_with_challenger, study_thresholds
from api.openapi_responses import ANYWHERE, WITH_BODY, problems
from api.request_body import BodyReader, JsonBody
from persistence.api_keys import Principal
from persistence.deployments.approvals import read_approvals
from persistence.deployments.refusals import list_refusals
from persistence.policy_proposals import PolicyProposal
from scoring.errors import IdempotencyMismatch, NoModel, ProposalWaits
from scoring.policy import Policy

MAX_REFUSALS = MAX_APPROVALS = 50

router = APIRouter(tags=["Models and policy"])


@router.get(
    "/policy",
    operation_id="read_policy",
    summary="The policy in force for new decisions",
    responses=problems(*ANYWHERE, NoModel),
    dependencies=REVIEWER_WITHOUT_PARAMETERS,
)
async def read_policy(caller: Reviewer, dependencies: CurrentDependencies) -> PolicyOut:
    """The tenant's own, or that of the version in production. Scope: review."""
    deployment = await dependencies.run(read_deployment, caller.tenant_id)
    return policy_out(deployment.effective_policy())


@router.put(
    "/policy",
    operation_id="set_policy",
    summary="Change threshold, band or costs at once",
    responses={
        **problems(409, *WITH_BODY, *ANYWHERE, NoModel, ProposalWaits, IdempotencyMismatch),
        200: {"headers": REPLAYED_HEADER},
        202: PROPOSED,
    },
    openapi_extra=IDEMPOTENT,
    response_model=PolicyOut,
    dependencies=ADMIN_WITHOUT_PARAMETERS,
)
async def set_policy(
    read_change: Annotated[BodyReader[PolicyIn], Depends(JsonBody(PolicyIn))],
    caller: Admin,
    dependencies: CurrentDependencies,
    request: Request,
) -> Response:
    """Overrides every version's own policy, across promotions, until it is withdrawn.

    Decisions that are stored keep the numbers they were made with. Where the tenant asks for four
    eyes it makes a proposal instead (202), which another person approves. Scope: admin.
    """
    body = await read_change()
    changes = body.model_dump(exclude_unset=True)
    reason = changes.pop("reason", None)

    def change(deployment: TenantDeployment) -> Policy:
        return changed_policy(deployment.effective_policy().policy, changes)

    return await _change_policy(dependencies, request, caller, body, change, reason)


@router.delete(
    "/policy",
    operation_id="withdraw_policy",
    summary="Go back to the policy of the version in production",
    responses={
        **problems(409, *ANYWHERE, NoModel, ProposalWaits, IdempotencyMismatch),
        200: {"headers": REPLAYED_HEADER},
        202: PROPOSED,
    },
    openapi_extra=IDEMPOTENT,
    response_model=PolicyOut,
    dependencies=ADMIN_WITHOUT_PARAMETERS,
)
async def withdraw_policy(
    caller: Admin, dependencies: CurrentDependencies, request: Request
) -> Response:
    """Each version decides by its own policy again.

    Where the tenant asks for four eyes it makes a proposal instead (202). Scope: admin.
    """
    return await _change_policy(dependencies, request, caller, None, lambda _: None)


async def _change_policy(
    dependencies: ApiDependencies,
    request: Request,
    caller: Principal,
    body: PolicyIn | None,
    change: Callable[[TenantDeployment], Policy | None],
    reason: str | None = None,
) -> Response:
    """Change the tenant's policy, and put it in force in this process before the reply."""

    def changed(connection: Connection) -> PolicyOut | PolicyProposalOut:
        made = change_policy(connection, caller.tenant_id, change, caller.actor, reason)
        if isinstance(made, PolicyProposal):
            return proposal_out(made)
        return policy_out(made.effective_policy())

    def status(reply: BaseModel) -> int:
        return HTTPStatus.ACCEPTED if isinstance(reply, PolicyProposalOut) else HTTPStatus.OK

    reply = await write(dependencies, request, caller, body, changed, status=status)
    if reply.status_code == HTTPStatus.ACCEPTED:
        proposal = PolicyProposalOut.model_validate_json(bytes(reply.body))
        reply.headers["Location"] = f"/policy/proposals/{proposal.id}"
        return reply
    await dependencies.refresh_settings(caller.tenant_id)
    return reply


@router.get(
    "/tuner",
    operation_id="read_tuner",
    summary="What each threshold would have done",
    responses=problems(*ANYWHERE, NoModel),
)
async def read_tuner(
    query: Annotated[TunerQuery, Query()],
    caller: Reviewer,
    dependencies: CurrentDependencies,
) -> TunerReply:
    """On matured decisions with their labels of all sources, at the scores as stored.

    Escalated cases are left out; those without a label are presumed honest. `pairs` has the
    decline threshold too, in money, reviews and declines a day. Scope: review.
    """
    study = await study_thresholds(dependencies, caller.tenant_id, query)
    pairs = await to_thread.run_sync(
        tune_pairs,
        study.matured,
        study.costs,
        study.effective.policy.thresholds,
        study.window.days,
        query.max_reviews_per_day,
        query.max_declines_per_day,
    )
    return tuner_reply(study.window, study.costs, study.tuning, pairs)


@router.get(
    "/models",
    operation_id="read_models",
    summary="The versions that serve, and how the challenger does",
    responses=problems(*ANYWHERE),
)
async def read_models(
    query: Annotated[MaturedQuery, Query()],
    caller: Reviewer,
    dependencies: CurrentDependencies,
) -> ModelsReply:
    """Champion and challenger are compared on the matured decisions that both scored.

    Scope: review.
    """
    deployment = await dependencies.run(read_deployment, caller.tenant_id)
    refusals = await dependencies.run(list_refusals, caller.tenant_id, MAX_REFUSALS)
    approvals = await dependencies.run(read_approvals, caller.tenant_id, MAX_APPROVALS)
    comparison = await compare_with_challenger(dependencies, caller.tenant_id, deployment, query)
    return models_reply(deployment, approvals, refusals, comparison)
