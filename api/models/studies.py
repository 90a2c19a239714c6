"""What the tuner and the models show: studies of matured decisions, each read once for all."""

from __future__ import annotations

from dataclasses import dataclass

from anyio import to_thread

from api.dependencies import ApiDependencies
from api.models.effective_policy import EffectivePolicy, TenantDeployment, read_deployment
from api.models.matured_decisions import (
    DecisionWindow,
    VersionComparison,
    compare_versions,
    study_decisions,
)
from api.models.policy_change import changed_costs
from api.models.schemas import MaturedQuery, TunerQuery
from api.models.threshold_tuning import Tuning, tune
from persistence.labels.reader import MaturedDecisions
from scoring.policy import CostModel


@dataclass(frozen=True, slots=True)
class ThresholdStudy:
    """What thresholds would have done on matured decisions.

    Attributes:
        effective: policy in force.
        costs: costs of errors that the money is reckoned with.
        window: decisions that were read.
        matured: these decisions, with their labels.
        tuning: outcome of each threshold, or a sentence on why there is none.
    """

    effective: EffectivePolicy
    costs: CostModel
    window: DecisionWindow
    matured: MaturedDecisions
    tuning: Tuning | str


async def study_thresholds(
    dependencies: ApiDependencies, tenant_id: int, query: TunerQuery
) -> ThresholdStudy:
    """Return what thresholds would have done.

    Raises:
        NoModel: no policy is in force.
        InvalidRequest: the costs are not valid; names the field.
    """
    deployment = await dependencies.run(read_deployment, tenant_id)
    effective = deployment.effective_policy()
    costs = changed_costs(effective.policy.cost_model, query.sent())
    window, matured = await dependencies.run_cached(
        study_decisions, tenant_id, query.maturity_days, query.window_days, query.as_of
    )
    tuning = await to_thread.run_sync(tune, matured, costs, effective.policy.threshold)
    return ThresholdStudy(effective, costs, window, matured, tuning)


async def compare_with_challenger(
    dependencies: ApiDependencies,
    tenant_id: int,
    deployment: TenantDeployment,
    query: MaturedQuery,
) -> VersionComparison | str:
    """Compare champion and challenger, or return a sentence on why that is not possible."""
    if deployment.production is None:
        return "No model version is in production, so there is nothing to challenge."
    if deployment.challenger is None:
        return "No model version is under the alias `challenger`."
    return await dependencies.run_cached(
        compare_versions,
        tenant_id,
        deployment.production.model,
        deployment.challenger.model,
        deployment.effective_policy().policy.cost_model,
        query.maturity_days,
        query.window_days,
        query.as_of,
    )
