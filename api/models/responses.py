"""Replies of the policy, the tuner and the model versions, built from the domain's values."""

from __future__ import annotations

from dataclasses import asdict, fields
from datetime import UTC, datetime
from typing import Any

from api.models.effective_policy import EffectivePolicy, TenantDeployment
from api.models.matured_decisions import DecisionWindow, VersionComparison
from api.models.pair_tuning import PairTuning
from api.models.policy_schemas import (
    CostModelOut,
    ExploreOut,
    PolicyOut,
    PolicyProposalOut,
    ProposedPolicy,
    VersionPolicy,
)
from api.models.schemas import (
    ApprovalOut,
    ChallengerOut,
    ComparisonOut,
    FiguresOut,
    IntervalOut,
    ModelsReply,
    PairOut,
    PairsOut,
    PointOut,
    ProductionOut,
    RefusalOut,
    TunerReply,
    VersionOut,
)
from api.models.threshold_tuning import Tuning
from persistence.deployments.approvals import Approval, Approvals
from persistence.deployments.refusals import Refusal
from persistence.deployments.served_versions import ServedVersion
from persistence.policy_proposals import PolicyProposal
from scoring.errors import NoModel
from scoring.evaluation.bootstrap import Interval
from scoring.evaluation.comparison import Figures
from scoring.evaluation.cost_curve import Outcome
from scoring.evaluation.threshold_pairs import PairOutcome
from scoring.policy import CostModel, Policy
from scoring.prediction import ModelVersion
from web.responses import model_out
from web.schemas import ModelOut, WindowOut


def policy_out(effective: EffectivePolicy) -> PolicyOut:
    """Return the reply of the policy in force."""
    production = effective.production
    return PolicyOut(
        source="model" if effective.id is None else "tenant",
        **_numbers(effective.policy),
        decline_from=effective.policy.decline_from,
        explore=_explore_out(effective.policy),
        id=effective.id,
        since=effective.since,
        actor=effective.actor,
        version_policy=VersionPolicy(
            **_numbers(production.policy), model=model_out(production.model)
        )
        if production
        else None,
    )


def proposal_out(proposal: PolicyProposal) -> PolicyProposalOut:
    """Return the reply of a proposed policy."""
    return PolicyProposalOut(
        id=proposal.id,
        status=proposal.status,
        policy=_proposed(proposal.policy) if proposal.policy else None,
        before=_proposed(proposal.before),
        reason=proposal.reason,
        proposed_by=proposal.proposed_by.name,
        proposed_at=proposal.proposed_at,
        decided_by=proposal.decided_by,
        decided_at=proposal.decided_at,
        note=proposal.note,
        policy_id=proposal.policy_id,
    )


def _proposed(policy: Policy) -> ProposedPolicy:
    return ProposedPolicy(
        **_numbers(policy), decline_from=policy.decline_from, explore=_explore_out(policy)
    )


def _explore_out(policy: Policy) -> ExploreOut | None:
    return ExploreOut(**asdict(policy.explore)) if policy.explore else None


def tuner_reply(
    window: DecisionWindow, costs: CostModel, tuning: Tuning | str, pairs: PairTuning | None
) -> TunerReply:
    """Return what each threshold would have done, or a note with the reason why that is unknown."""

    def point(outcome: Outcome) -> PointOut:
        return PointOut(
            threshold=outcome.threshold,
            alerts=outcome.flagged,
            alerts_per_day=outcome.flagged / window.days,
            caught=outcome.caught,
            missed=outcome.missed,
            false_alarms=outcome.flagged - outcome.caught,
            net_savings=outcome.savings,
        )

    matured = _matured(window, costs)
    if isinstance(tuning, str):
        return TunerReply(
            **matured, current=None, best=None, suggested=None, curve=[], note=tuning, pairs=None
        )
    return TunerReply(
        **matured,
        current=point(tuning.current),
        best=point(tuning.best),
        suggested=point(tuning.suggested),
        curve=[point(outcome) for outcome in tuning.curve],
        pairs=_pairs_out(pairs) if pairs else None,
        note=tuning.note,
    )


def approval_out(approval: Approval) -> ApprovalOut:
    """Return the reply of an approval."""
    approved = approval.approved
    return ApprovalOut(
        model=ModelOut(name=approved.name, version=approved.version),
        actor=approval.actor,
        note=approval.note,
        at=approval.at,
    )


def models_reply(
    deployment: TenantDeployment,
    approvals: Approvals,
    refusals: list[Refusal],
    comparison: VersionComparison | str,
) -> ModelsReply:
    """Return what serves, what challenges it, and how the two compare.

    Args:
        deployment: versions and policy of the tenant.
        approvals: whether the tenant asks for approvals, and the latest ones.
        refusals: versions that must not serve.
        comparison: champion against challenger, or a sentence on why there is none.
    """
    production, challenger = deployment.production, deployment.challenger
    try:
        policy = policy_out(deployment.effective_policy())
    except NoModel:
        policy = None
    compared, note = (None, comparison) if isinstance(comparison, str) else (comparison, None)
    return ModelsReply(
        production=ProductionOut(**_version(production, since=production.production_since))
        if production
        else None,
        challenger=ChallengerOut(
            **_version(
                challenger,
                since=challenger.challenger_since,
                canary_percent=challenger.canary_percent,
            )
        )
        if challenger
        else None,
        policy=policy,
        versions=[VersionOut(**_version(served)) for served in deployment.versions],
        refusals=[
            RefusalOut(
                model=ModelOut(name=refusal.name, version=refusal.version),
                reason=refusal.reason,
                at=refusal.at,
                awaits_approval=refusal.awaits_approval,
            )
            for refusal in refusals
        ],
        four_eyes=approvals.four_eyes,
        approvals=[approval_out(approval) for approval in approvals.latest],
        comparison=_comparison_out(compared) if compared else None,
        note=note,
    )


def _numbers(policy: Policy) -> dict[str, Any]:
    """Return the fields that every schema with a policy shares."""
    return {
        "cost_model": costs_out(policy.cost_model),
        "threshold": policy.threshold,
        "high_from": policy.high_from,
    }


def costs_out(costs: CostModel) -> CostModelOut:
    """Return the reply of the costs of errors."""
    return CostModelOut(
        missed_fraud=costs.missed_fraud,
        missed_fraud_share=costs.missed_fraud_share,
        false_alarm=costs.false_alarm,
        false_decline=costs.false_decline,
    )


def _version(served: ServedVersion, **more: object) -> dict[str, Any]:
    """Return the fields that every schema of a version shares, and those of one schema."""
    return {
        "model": model_out(served.model),
        **_numbers(served.policy),
        "calibrator": served.calibrator_kind,
        "first_served_at": served.first_served_at,
        **more,
    }


def _comparison_out(compared: VersionComparison) -> ComparisonOut:
    found = compared.comparison
    return ComparisonOut(
        **_matured(compared.window, compared.costs),
        agreement=found.agreement,
        champion=_figures_out(compared.champion, found.champion),
        challenger=_figures_out(compared.challenger, found.challenger),
        difference=_interval_out(found.difference),
        is_better=found.is_better,
    )


def _figures_out(version: ModelVersion, figures: Figures) -> FiguresOut:
    intervals = {
        field.name: _interval_out(getattr(figures, field.name)) for field in fields(figures)
    }
    return FiguresOut(model=model_out(version), **intervals)


def _pairs_out(pairs: PairTuning) -> PairsOut:
    def pair(outcome: PairOutcome) -> PairOut:
        return PairOut(
            threshold=outcome.review,
            decline_from=outcome.decline,
            reviews_per_day=outcome.reviews_a_day,
            declines_per_day=outcome.declines_a_day,
            caught=outcome.caught,
            missed=outcome.missed,
            false_alarms=outcome.false_alarms,
            false_declines=outcome.false_declines,
            net_savings=outcome.savings,
        )

    return PairsOut(
        current=pair(pairs.current),
        best=pair(pairs.best),
        grid=[pair(outcome) for outcome in pairs.grid],
    )


def _interval_out(interval: Interval) -> IntervalOut:
    return IntervalOut(**asdict(interval))


def _matured(window: DecisionWindow, costs: CostModel) -> dict[str, Any]:
    """Return the fields that every schema of a study of matured decisions shares."""
    return {
        "as_of": window.at,
        "window": WindowOut(from_=_moment(window.from_s), to=_moment(window.to_s)),
        "matured": window.count,
        "labelled": window.labelled,
        "presumed_honest": window.count - window.labelled - window.unknown,
        "unknown": window.unknown,
        "frauds": window.frauds,
        "truncated": window.truncated,
        "cost_model": costs_out(costs),
        "selection_bias": window.selection_bias,
    }


def _moment(unix_s: float) -> datetime:
    return datetime.fromtimestamp(unix_s, UTC)
