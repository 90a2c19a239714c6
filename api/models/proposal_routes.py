"""The routes of proposed policies: a second person approves or refuses them."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Request
from sqlalchemy import Connection, Engine
from starlette.responses import Response

from api.dependencies import (
    ADMIN_WITHOUT_PARAMETERS,
    REVIEWER_WITHOUT_PARAMETERS,
    Admin,
    CurrentDependencies,
    Reviewer,
)
from api.idempotency import IDEMPOTENT, REPLAYED_HEADER, write
from api.models.policy_approval import approve_proposal, refuse_proposal
from api.models.policy_schemas import DecisionIn, PolicyProposalOut, PolicyProposalsReply
from api.models.responses import proposal_out
from api.openapi_responses import ANYWHERE, WITH_BODY, problems
from api.request_body import BodyReader, JsonBody
from persistence.policy_proposals import PolicyProposal, find_proposal, read_proposals
from persistence.tenancy import tenant_transaction
from scoring.errors import (
    IdempotencyMismatch,
    NoModel,
    NotFound,
    PolicyChanged,
    ProposalDecided,
    SecondPersonNeeded,
)

MAX_PROPOSALS = 50
MAX_ID = 2**31 - 1
PROPOSED: dict[str, Any] = {
    "model": PolicyProposalOut,
    "description": "the tenant asks for four eyes: nothing is in force yet, another person approves"
    " the proposal",
    "headers": {
        **REPLAYED_HEADER,
        "Location": {
            "description": "address of the proposal",
            "required": True,
            "schema": {"type": "string", "example": "/policy/proposals/3"},
        },
    },
}
"""Reply of a change of the policy that needs a second person."""

router = APIRouter(tags=["Models and policy"])
ProposalId = Annotated[int, Path(ge=1, le=MAX_ID, description="number of the proposal")]
_APPROVAL = JsonBody(DecisionIn, {"with_a_note": {"note": "As agreed on Monday."}}, required=False)
_REFUSAL = JsonBody(
    DecisionIn, {"with_a_note": {"note": "Too many frauds would pass."}}, required=False
)


@router.get(
    "/policy/proposals",
    operation_id="read_policy_proposals",
    summary="Policies that wait for a second person, and those before",
    responses=problems(*ANYWHERE),
    dependencies=REVIEWER_WITHOUT_PARAMETERS,
)
async def read_policy_proposals(
    caller: Reviewer, dependencies: CurrentDependencies
) -> PolicyProposalsReply:
    """At most one waits. Scope: review."""
    found = await dependencies.run(read_proposals, caller.tenant_id, MAX_PROPOSALS)
    return PolicyProposalsReply(
        four_eyes=found.four_eyes, proposals=[proposal_out(one) for one in found.latest]
    )


@router.get(
    "/policy/proposals/{id}",
    operation_id="read_policy_proposal",
    summary="One proposal",
    responses=problems(*ANYWHERE, NotFound),
    dependencies=REVIEWER_WITHOUT_PARAMETERS,
)
async def read_policy_proposal(
    proposal_id: Annotated[ProposalId, Path(alias="id")],
    caller: Reviewer,
    dependencies: CurrentDependencies,
) -> PolicyProposalOut:
    """Its `status` says whether it waits. Scope: review."""
    return proposal_out(await dependencies.run(_read, caller.tenant_id, proposal_id))


@router.post(
    "/policy/proposals/{id}/approve",
    operation_id="approve_policy_proposal",
    summary="Put a policy in force that somebody else proposed",
    responses={
        **problems(
            409,
            *WITH_BODY,
            *ANYWHERE,
            NotFound,
            NoModel,
            PolicyChanged,
            ProposalDecided,
            SecondPersonNeeded,
            IdempotencyMismatch,
        ),
        200: {"headers": REPLAYED_HEADER},
    },
    openapi_extra=IDEMPOTENT,
    response_model=PolicyProposalOut,
    dependencies=ADMIN_WITHOUT_PARAMETERS,
)
async def approve_policy_proposal(
    proposal_id: Annotated[ProposalId, Path(alias="id")],
    read_decision: Annotated[BodyReader[DecisionIn], Depends(_APPROVAL)],
    caller: Admin,
    dependencies: CurrentDependencies,
    request: Request,
) -> Response:
    """Nobody approves what they proposed, and only what is based on the policy in force.

    Scope: admin.
    """
    body = await read_decision()

    def approve(connection: Connection) -> PolicyProposalOut:
        made = approve_proposal(connection, caller.tenant_id, proposal_id, caller.actor, body.note)
        return proposal_out(made)

    reply = await write(dependencies, request, caller, body, approve)
    await dependencies.refresh_settings(caller.tenant_id)
    return reply


@router.post(
    "/policy/proposals/{id}/refuse",
    operation_id="refuse_policy_proposal",
    summary="Refuse a proposed policy, or take one's own back",
    responses={
        **problems(409, *WITH_BODY, *ANYWHERE, NotFound, ProposalDecided, IdempotencyMismatch),
        200: {"headers": REPLAYED_HEADER},
    },
    openapi_extra=IDEMPOTENT,
    response_model=PolicyProposalOut,
    dependencies=ADMIN_WITHOUT_PARAMETERS,
)
async def refuse_policy_proposal(
    proposal_id: Annotated[ProposalId, Path(alias="id")],
    read_decision: Annotated[BodyReader[DecisionIn], Depends(_REFUSAL)],
    caller: Admin,
    dependencies: CurrentDependencies,
    request: Request,
) -> Response:
    """The policy in force goes on. Scope: admin."""
    body = await read_decision()

    def refuse(connection: Connection) -> PolicyProposalOut:
        made = refuse_proposal(connection, caller.tenant_id, proposal_id, caller.actor, body.note)
        return proposal_out(made)

    return await write(dependencies, request, caller, body, refuse)


def _read(engine: Engine, tenant_id: int, proposal_id: int) -> PolicyProposal:
    with tenant_transaction(engine, tenant_id) as connection:
        return find_proposal(connection, tenant_id, proposal_id)
