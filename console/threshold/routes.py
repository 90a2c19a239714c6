"""The page of the thresholds: the policy in force, what others would change, and their save."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any
from urllib.parse import urlencode

from anyio import to_thread
from fastapi import APIRouter, Form, Query
from pydantic import Field
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from api.dependencies import ApiDependencies, CurrentDependencies
from api.models.effective_policy import read_deployment
from api.models.schemas import MAX_DAYS, WINDOW_DAYS, MaturedQuery, TunerQuery
from api.models.studies import ThresholdStudy, study_thresholds
from api.written_parts import Reason
from console.access import Admin, Reviewer, Visitor
from console.models.axes import log_odds
from console.models.pictures import cost_picture
from console.page_route import PageRoute
from console.rendering import render
from console.threshold.effect import effect_rows
from console.threshold.proposal import Proposal, propose
from console.threshold.saving import PolicyMoved, policy_key, save_thresholds
from persistence.labels.reader import MATURITY_DAYS
from scoring.errors import NoModel
from scoring.evaluation.threshold_change import threshold_change
from scoring.policy import Policy

router = APIRouter(include_in_schema=False, route_class=PageRoute)

PATH = "/console/threshold"
EFFECT = f"{PATH}/effect"


class ThresholdQuery(MaturedQuery):
    """Thresholds to try out, percent, and the decisions that they are tried on."""

    review_from: str | None = Field(default=None, max_length=40)
    decline_from: str | None = Field(default=None, max_length=40)
    saved: int | None = None

    def tuner(self) -> TunerQuery:
        """Return the query of the study."""
        return TunerQuery(maturity_days=self.maturity_days, window_days=self.window_days)


@router.get(PATH)
async def threshold_page(
    query: Annotated[ThresholdQuery, Query()],
    request: Request,
    visitor: Reviewer,
    dependencies: CurrentDependencies,
) -> Response:
    """Show the policy in force and the form; the page asks for the figures by itself."""
    return await _page(request, visitor, dependencies, query)


@router.get(EFFECT)
async def effect_page(
    query: Annotated[ThresholdQuery, Query()],
    request: Request,
    visitor: Reviewer,
    dependencies: CurrentDependencies,
) -> Response:
    """Show what the thresholds of the address change: as part of the page, or as all of it."""
    if "hx-request" not in request.headers:
        return await _page(request, visitor, dependencies, query, has_effect=True)
    study = await study_thresholds(dependencies, visitor.tenant_id, query.tuner())
    proposal = _proposal(study.effective.policy, query)
    return render(
        request,
        "threshold/effect.html.j2",
        visitor,
        headers={"HX-Replace-Url": _address(query, proposal)},
        query=query,
        proposal=proposal,
        effective=study.effective,
        reason="",
        **await _effect(study, proposal),
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
    """Put the thresholds in force with the reason; where that fails, the page says why."""
    query = ThresholdQuery(
        review_from=review_from,
        decline_from=decline_from,
        maturity_days=maturity_days,
        window_days=window_days,
    )
    if reason is None:
        return await _refused(request, visitor, dependencies, query, "threshold.problem.reason")
    try:
        deployment = await dependencies.run(
            save_thresholds,
            visitor.tenant_id,
            review_from=review_from,
            decline_from=decline_from,
            seen=seen,
            reason=reason,
            actor=visitor.actor,
        )
    except PolicyMoved:
        return await _refused(
            request, visitor, dependencies, query, "threshold.problem.moved",
            reason=reason, status=HTTPStatus.CONFLICT,
        )  # fmt: skip
    await dependencies.refresh_settings(visitor.tenant_id)
    after = _days(query) | {"saved": str(deployment.effective_policy().id or 0)}
    return RedirectResponse(f"{PATH}?{urlencode(after)}", HTTPStatus.SEE_OTHER)


async def _refused(
    request: Request,
    visitor: Visitor,
    dependencies: ApiDependencies,
    query: ThresholdQuery,
    problem: str,
    *,
    reason: str = "",
    status: int = HTTPStatus.UNPROCESSABLE_ENTITY,
) -> Response:
    return await _page(
        request, visitor, dependencies, query,
        has_effect=True, problem=problem, reason=reason, status=status,
    )  # fmt: skip


async def _page(
    request: Request,
    visitor: Visitor,
    dependencies: ApiDependencies,
    query: ThresholdQuery,
    *,
    has_effect: bool = False,
    problem: str | None = None,
    reason: str = "",
    status: int = HTTPStatus.OK,
) -> Response:
    deployment = await dependencies.run(read_deployment, visitor.tenant_id)
    try:
        effective = deployment.effective_policy()
    except NoModel:
        return render(request, "threshold/no_model.html.j2", visitor)
    figures: dict[str, Any] = {}
    if has_effect:
        study = await study_thresholds(dependencies, visitor.tenant_id, query.tuner())
        effective = study.effective
        figures = await _effect(study, _proposal(effective.policy, query))
    proposal = _proposal(effective.policy, query)
    return render(
        request,
        "threshold/threshold.html.j2",
        visitor,
        status=status,
        query=query,
        proposal=proposal,
        effective=effective,
        is_saved=effective.id is not None and query.saved == effective.id,
        scale=_scale(effective.policy),
        has_effect=has_effect,
        effect_address=f"{EFFECT}?{_parameters(query, proposal)}",
        problem=problem,
        reason=reason,
        **figures,
    )


async def _effect(study: ThresholdStudy, proposal: Proposal) -> dict[str, Any]:
    """Return what the template of the figures shows."""
    shown: dict[str, Any] = {
        "seen": policy_key(study.effective),
        "window": study.window,
        "tuning": study.tuning,
        "has_curve": not isinstance(study.tuning, str),
        "rows": None,
    }
    policy = proposal.policy
    if isinstance(study.tuning, str):
        return shown
    before = study.effective.policy.thresholds
    after = policy.thresholds if policy else before
    shown["picture"] = cost_picture(study.tuning, before, after if after != before else None)
    if policy is None:
        return shown
    matured = study.matured
    change = await to_thread.run_sync(
        threshold_change,
        matured.score,
        matured.amount,
        matured.is_fraud,
        study.costs,
        before,
        after,
        matured.weights,
    )
    shown["rows"] = effect_rows(change, study.window.days)
    shown["has_intervals"] = change.has_intervals
    return shown


def _proposal(in_force: Policy, query: ThresholdQuery) -> Proposal:
    return propose(in_force, query.review_from, query.decline_from)


def _parameters(query: ThresholdQuery, proposal: Proposal) -> str:
    proposed = {"review_from": proposal.review_from, "decline_from": proposal.decline_from}
    return urlencode(proposed | _days(query))


def _address(query: ThresholdQuery, proposal: Proposal) -> str:
    return f"{PATH}?{_parameters(query, proposal)}"


def _days(query: ThresholdQuery) -> dict[str, str]:
    return {"maturity_days": f"{query.maturity_days:g}", "window_days": f"{query.window_days:g}"}


def _scale(policy: Policy) -> dict[str, float]:
    """Return the ends of the sliders, log-odds, with room for the policy in force."""
    low, high = min(policy.threshold, 0.001), max(policy.threshold, policy.decline_from or 0, 0.999)
    return {"low": log_odds(low), "high": log_odds(high)}
