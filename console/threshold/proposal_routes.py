"""The decision about proposed thresholds by a second person, and their figures."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Form, Path, Query
from sqlalchemy import Connection, Engine
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from api.dependencies import ApiDependencies, CurrentDependencies
from api.models.policy_approval import approve_proposal, refuse_proposal
from api.models.proposal_routes import MAX_ID
from api.models.studies import study_thresholds
from api.written_parts import Reason
from console.access import Admin, Reviewer, Visitor
from console.page_route import PageRoute
from console.rendering import render
from console.threshold.page import PATH, ThresholdQuery, change_values, threshold_page
from console.threshold.waiting import read_waiting
from persistence.actor import Actor
from persistence.policy_proposals import PolicyProposal
from persistence.tenancy import tenant_transaction
from scoring.errors import PolicyChanged, ProposalDecided, SecondPersonNeeded, SentinelError

router = APIRouter(include_in_schema=False, route_class=PageRoute)

Decide = Callable[[Connection, int, int, Actor, str | None], PolicyProposal]
ProposalId = Annotated[int, Path(ge=1, le=MAX_ID)]
_PROBLEMS: dict[type[SentinelError], str] = {
    SecondPersonNeeded: "threshold.problem.own_proposal",
    PolicyChanged: "threshold.problem.outdated",
    ProposalDecided: "threshold.problem.decided",
}


@router.get(f"{PATH}/waiting")
async def figures(
    query: Annotated[ThresholdQuery, Query()],
    request: Request,
    visitor: Reviewer,
    dependencies: CurrentDependencies,
) -> Response:
    """Show what the proposed thresholds would have done, as part of the page."""
    if "hx-request" not in request.headers:
        return RedirectResponse(PATH, HTTPStatus.SEE_OTHER)
    study = await study_thresholds(dependencies, visitor.tenant_id, query.tuner())
    waiting = await dependencies.run(
        read_waiting, visitor.tenant_id, effective=study.effective, actor=visitor.actor
    )
    has_labels = not isinstance(study.tuning, str)
    changed = {}
    if has_labels and waiting.after is not None:
        changed = await change_values(study, study.effective.policy.thresholds, waiting.after)
    return render(
        request,
        "threshold/figures.html.j2",
        visitor,
        query=query,
        window=study.window,
        has_labels=has_labels,
        **changed,
    )


@router.post(f"{PATH}/proposals/{{proposal_id}}/approve")
async def approve(
    proposal_id: ProposalId,
    request: Request,
    visitor: Admin,
    dependencies: CurrentDependencies,
    note: Annotated[Reason | None, Form()] = None,
) -> Response:
    """Put proposed thresholds in force; who proposed them sees why somebody else has to."""
    made = await _decide(request, visitor, dependencies, approve_proposal, proposal_id, note)
    if isinstance(made, Response):
        return made
    await dependencies.refresh_settings(visitor.tenant_id)
    return RedirectResponse(f"{PATH}?saved={made.policy_id}", HTTPStatus.SEE_OTHER)


@router.post(f"{PATH}/proposals/{{proposal_id}}/refuse")
async def refuse(
    proposal_id: ProposalId,
    request: Request,
    visitor: Admin,
    dependencies: CurrentDependencies,
    note: Annotated[Reason | None, Form()] = None,
) -> Response:
    """Refuse proposed thresholds, or take one's own back."""
    made = await _decide(request, visitor, dependencies, refuse_proposal, proposal_id, note)
    if isinstance(made, Response):
        return made
    return RedirectResponse(f"{PATH}?refused={made.id}", HTTPStatus.SEE_OTHER)


async def _decide(
    request: Request,
    visitor: Visitor,
    dependencies: ApiDependencies,
    decide: Decide,
    proposal_id: int,
    note: str | None,
) -> PolicyProposal | Response:
    """Return the decided proposal, or the page with what is wrong."""

    def decided(engine: Engine) -> PolicyProposal:
        with tenant_transaction(engine, visitor.tenant_id, actor=visitor.actor) as connection:
            return decide(connection, visitor.tenant_id, proposal_id, visitor.actor, note)

    try:
        return await dependencies.run(decided)
    except (SecondPersonNeeded, PolicyChanged, ProposalDecided) as error:
        return await threshold_page(
            request, visitor, dependencies, ThresholdQuery(),
            problem=_PROBLEMS[type(error)], status=HTTPStatus.CONFLICT,
        )  # fmt: skip
