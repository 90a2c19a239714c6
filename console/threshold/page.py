"""The page of the thresholds as it is rendered, whichever of its forms was sent."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any
from urllib.parse import urlencode

from anyio import to_thread
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from api.dependencies import ApiDependencies
from api.models.effective_policy import read_deployment
from api.models.schemas import MaturedQuery, TunerQuery
from api.models.studies import ThresholdStudy, study_thresholds
from console.access import Visitor
from console.models.axes import log_odds
from console.models.pictures import cost_picture
from console.rendering import render
from console.threshold.effect import effect_rows
from console.threshold.proposal import Proposal, propose
from console.threshold.waiting import read_waiting
from scoring.errors import NoModel
from scoring.evaluation.threshold_change import threshold_change
from scoring.policy import Policy, Thresholds

PATH = "/console/threshold"
EFFECT = f"{PATH}/effect"
_Number = Annotated[int, Field(ge=1, le=2**31 - 1)]


class ThresholdQuery(MaturedQuery):
    """Thresholds to try out, percent, and the decisions that they are tried on."""

    review_from: str | None = Field(default=None, max_length=40)
    decline_from: str | None = Field(default=None, max_length=40)
    saved: _Number | None = None
    proposed: _Number | None = None
    refused: _Number | None = None

    def tuner(self) -> TunerQuery:
        """Return the query of the study."""
        return TunerQuery(maturity_days=self.maturity_days, window_days=self.window_days)

    def days(self) -> dict[str, str]:
        """Return the parameters of the decisions that thresholds are tried on."""
        return {
            "maturity_days": f"{self.maturity_days:g}",
            "window_days": f"{self.window_days:g}",
        }

    def proposal(self, in_force: Policy) -> Proposal:
        """Return what the thresholds of the query change of the policy in force."""
        return propose(in_force, self.review_from, self.decline_from)

    def parameters(self, proposal: Proposal) -> str:
        """Return the parameters of the address of what is tried out."""
        proposed = {"review_from": proposal.review_from, "decline_from": proposal.decline_from}
        return urlencode(proposed | self.days())


async def threshold_page(
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
    """Return the page: the policy in force, the form, and the proposal that waits.

    Args:
        request: request of the browser.
        visitor: person who is signed in.
        dependencies: what the management routes use.
        query: thresholds that are tried out.
        has_effect: whether the figures are part of the page; else it asks for them.
        problem: key of the sentence on what was refused.
        reason: reason that the person wrote.
        status: HTTP status.
    """
    deployment = await dependencies.run(read_deployment, visitor.tenant_id)
    try:
        effective = deployment.effective_policy()
    except NoModel:
        return render(request, "threshold/no_model.html.j2", visitor)
    figures: dict[str, Any] = {}
    if has_effect:
        study = await study_thresholds(dependencies, visitor.tenant_id, query.tuner())
        effective = study.effective
        figures = await effect_values(study, query.proposal(effective.policy))
    proposal = query.proposal(effective.policy)
    waiting = await dependencies.run(
        read_waiting, visitor.tenant_id, effective=effective, actor=visitor.actor
    )
    approved_policy = waiting.latest.policy_id if waiting.latest else None
    return render(
        request,
        "threshold/threshold.html.j2",
        visitor,
        status=status,
        query=query,
        proposal=proposal,
        effective=effective,
        waiting=waiting,
        is_saved=query.saved is not None and query.saved in (effective.id, approved_policy),
        approved=waiting.latest if approved_policy and approved_policy == effective.id else None,
        scale=_scale(effective.policy),
        has_effect=has_effect,
        effect_address=f"{EFFECT}?{query.parameters(proposal)}",
        problem=problem,
        reason=reason,
        **figures,
    )


async def effect_values(study: ThresholdStudy, proposal: Proposal) -> dict[str, Any]:
    """Return what the template of the figures shows.

    Args:
        study: matured decisions, and the policy in force.
        proposal: thresholds that are tried out.
    """
    shown: dict[str, Any] = {
        "seen": study.effective.key,
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
    return shown if policy is None else shown | await change_values(study, before, after)


async def change_values(
    study: ThresholdStudy, before: Thresholds, after: Thresholds
) -> dict[str, Any]:
    """Return the rows of the table of what a change of the thresholds would have done.

    Args:
        study: matured decisions.
        before: thresholds of the first column.
        after: thresholds of the second column.
    """
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
    rows = effect_rows(change, study.window.days)
    return {"rows": rows, "has_intervals": change.has_intervals}


def _scale(policy: Policy) -> dict[str, float]:
    """Return the ends of the sliders, log-odds, with room for the policy in force."""
    low, high = min(policy.threshold, 0.001), max(policy.threshold, policy.decline_from or 0, 0.999)
    return {"low": log_odds(low), "high": log_odds(high)}
