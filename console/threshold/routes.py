"""The routes of the thresholds: the policy in force, what others would change, and their save."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Query
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from api.dependencies import CurrentDependencies
from api.models.schemas import MAX_DAYS, WINDOW_DAYS
from api.models.studies import study_thresholds
from api.written_parts import Reason
from console.access import Admin, Reviewer
from console.page_route import PageRoute
from console.rendering import render
from console.threshold.page import EFFECT, PATH, ThresholdQuery, effect_values, threshold_page
from console.threshold.saving import PolicyMoved, save_thresholds
from console.threshold.waiting import read_waiting
from persistence.labels.reader import MATURITY_DAYS
from persistence.policy_proposals import PolicyProposal
from scoring.errors import ProposalWaits

router = APIRouter(include_in_schema=False, route_class=PageRoute)


@router.get(PATH)
async def thresholds(
    query: Annotated[ThresholdQuery, Query()],
    request: Request,
    visitor: Reviewer,
    dependencies: CurrentDependencies,
) -> Response:
    """Show the policy in force and the form; the page asks for the figures by itself."""
    return await threshold_page(request, visitor, dependencies, query)


@router.get(EFFECT)
async def effect_page(
    query: Annotated[ThresholdQuery, Query()],
    request: Request,
    visitor: Reviewer,
    dependencies: CurrentDependencies,
) -> Response:
    """Show what the thresholds of the address change: as part of the page, or as all of it."""
    if "hx-request" not in request.headers:
        return await threshold_page(request, visitor, dependencies, query, has_effect=True)
    study = await study_thresholds(dependencies, visitor.tenant_id, query.tuner())
    proposal = query.proposal(study.effective.policy)
    waiting = await dependencies.run(
        read_waiting, visitor.tenant_id, effective=study.effective, actor=visitor.actor
    )
    return render(
        request,
        "threshold/effect.html.j2",
        visitor,
        headers={"HX-Replace-Url": f"{PATH}?{query.parameters(proposal)}"},
        query=query,
        proposal=proposal,
        effective=study.effective,
        waiting=waiting,
        reason="",
        **await effect_values(study, proposal),
    )


@router.post(PATH)
async def save(
    request: Request,
    visitor: Admin,
    dependencies: CurrentDependencies,
    review_from: Annotated[str, Form(max_length=40)],
    seen: Annotated[str, Form()],
    reason: Annotated[Reason | None, Form()] = None,
    decline_from: Annotated[str, Form(max_length=40)] = "",
    maturity_days: Annotated[float, Form(ge=0, le=MAX_DAYS)] = MATURITY_DAYS,
    window_days: Annotated[float, Form(gt=0, le=MAX_DAYS)] = WINDOW_DAYS,
) -> Response:
    """Put the thresholds in force with the reason, or propose them; else the page says why not."""
    query = ThresholdQuery(
        review_from=review_from,
        decline_from=decline_from,
        maturity_days=maturity_days,
        window_days=window_days,
    )

    async def refused(problem: str, status: HTTPStatus) -> Response:
        return await threshold_page(
            request, visitor, dependencies, query,
            has_effect=True, problem=problem, reason=reason or "", status=status,
        )  # fmt: skip

    if reason is None:
        return await refused("threshold.problem.reason", HTTPStatus.UNPROCESSABLE_ENTITY)
    try:
        made = await dependencies.run(
            save_thresholds,
            visitor.tenant_id,
            review_from=review_from,
            decline_from=decline_from,
            seen=seen,
            reason=reason,
            actor=visitor.actor,
        )
    except PolicyMoved:
        return await refused("threshold.problem.moved", HTTPStatus.CONFLICT)
    except ProposalWaits:
        return await refused("threshold.problem.waits", HTTPStatus.CONFLICT)
    if isinstance(made, PolicyProposal):
        after = query.days() | {"proposed": str(made.id)}
    else:
        await dependencies.refresh_settings(visitor.tenant_id)
        after = query.days() | {"saved": str(made.effective_policy().id or 0)}
    return RedirectResponse(f"{PATH}?{urlencode(after)}", HTTPStatus.SEE_OTHER)
