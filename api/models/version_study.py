"""How one version did on matured decisions: money by threshold, precision, calibration."""

from __future__ import annotations

from dataclasses import dataclass

from anyio import to_thread

from api.dependencies import ApiDependencies
from api.models.effective_policy import TenantDeployment
from api.models.matured_decisions import (
    DecisionWindow,
    challenger_decisions,
    decisions_of,
    study_decisions,
    study_pairs,
)
from api.models.schemas import MaturedQuery
from api.models.threshold_tuning import Tuning, tune
from persistence.deployments.served_versions import ServedVersion
from persistence.labels.reader import MaturedDecisions
from scoring.evaluation.probability_metrics import CalibrationBin, calibration_bins
from scoring.evaluation.weights import scaled
from scoring.policy import Policy

CALIBRATION_BINS = 8
"""Bins of a calibration picture, at most."""


@dataclass(frozen=True, slots=True)
class VersionStudy:
    """What one version's scores would have done.

    Attributes:
        policy: policy in force, or the version's own where none is.
        window: decisions that the version scored.
        tuning: outcome of each threshold, or a sentence on why there is none.
        calibration: predicted and observed fraud rates; none where no fraud is known.
    """

    policy: Policy
    window: DecisionWindow
    tuning: Tuning | str
    calibration: list[CalibrationBin]


async def study_version(
    dependencies: ApiDependencies,
    tenant_id: int,
    served: ServedVersion,
    deployment: TenantDeployment,
    query: MaturedQuery,
) -> VersionStudy:
    """Return how a version did on the decisions that it made, or scored as the challenger.

    Args:
        dependencies: what the management routes use.
        tenant_id: tenant whose decisions are read.
        served: version.
        deployment: versions and policy of the tenant.
        query: age of the decisions.
    """
    span = (query.maturity_days, query.window_days, query.as_of)
    if served.challenger_since and deployment.production:
        window, pairs = await dependencies.run_cached(
            study_pairs, tenant_id, deployment.production.model, served.model, *span
        )
        matured = challenger_decisions(pairs, served.model)
    else:
        window, matured = decisions_of(
            *await dependencies.run_cached(study_decisions, tenant_id, *span), served.model
        )
    policy = deployment.own_policy or served.policy
    tuning = await to_thread.run_sync(tune, matured, policy.cost_model, policy.threshold)
    calibration = [] if isinstance(tuning, str) else await to_thread.run_sync(_calibration, matured)
    return VersionStudy(policy, window, tuning, calibration)


def _calibration(matured: MaturedDecisions) -> list[CalibrationBin]:
    is_fraud = matured.is_fraud & (matured.weights > 0)
    return calibration_bins(matured.score, is_fraud, CALIBRATION_BINS, scaled(matured.weights))
