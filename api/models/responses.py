"""Policies, tuning and versions as reply bodies; shapes: `api/{lifecycle,policy}_schemas.py`."""

from __future__ import annotations

from dataclasses import asdict, fields
from datetime import UTC, datetime
from typing import Any

from api.models.effective_policy import PolicyInForce, TenantDeployment
from api.models.matured_decisions import Compared, DecisionWindow
from api.models.threshold_tuning import Tuning
from persistence.deployments import Refusal, ServedVersion
from persistence.labels.reader import SELECTION_BIAS
from scoring.errors import NoModel
from scoring.evaluation.comparison import Comparison, Figures
from scoring.evaluation.cost_curve import Outcome
from scoring.policy import CostModel
from scoring.prediction import ModelVersion
from web.responses import model


def policy(in_force: PolicyInForce) -> dict[str, Any]:
    """Render the policy in force."""
    production = in_force.production
    return {
        "source": "model" if in_force.id is None else "tenant",
        **in_force.policy.as_numbers(),
        "id": in_force.id,
        "since": in_force.since,
        "actor": in_force.actor,
        "version_policy": production
        and {**production.policy.as_numbers(), "model": model(production.model)},
    }


def tuner(looked: DecisionWindow, costs: CostModel, tuning: Tuning | str) -> dict[str, Any]:
    """Render what each threshold would have done, or why nothing can be said."""
    told = _matured(looked, costs)
    if isinstance(tuning, str):
        nothing: dict[str, Any] = {"current": None, "best": None, "suggested": None, "curve": []}
        return told | nothing | {"note": tuning}

    def point(outcome: Outcome) -> dict[str, Any]:
        return {
            "threshold": outcome.threshold,
            "alerts": outcome.flagged,
            "alerts_per_day": outcome.flagged / looked.days,
            "caught": outcome.caught,
            "missed": looked.frauds - outcome.caught,
            "false_alarms": outcome.flagged - outcome.caught,
            "net_savings": outcome.savings,
        }

    return told | {
        "current": point(tuning.current),
        "best": point(tuning.best),
        "suggested": point(tuning.suggested),
        "curve": [point(outcome) for outcome in tuning.curve],
        "note": tuning.note,
    }


def models(
    deployment: TenantDeployment,
    refusals: list[Refusal],
    compared: Compared | None,
    note: str | None,
) -> dict[str, Any]:
    """Render what serves, what challenges it, and how the two compare."""
    production, challenger = deployment.production, deployment.challenger
    try:
        in_force = policy(deployment.in_force())
    except NoModel:
        in_force = None
    return {
        "production": production and {**_version(production), "since": production.production_since},
        "challenger": challenger
        and {
            **_version(challenger),
            "since": challenger.challenger_since,
            "canary_percent": challenger.canary_percent,
        },
        "policy": in_force,
        "versions": [_version(served) for served in deployment.versions],
        "refusals": [
            {
                "model": {"name": refusal.name, "version": refusal.version},
                "reason": refusal.reason,
                "at": refusal.at,
            }
            for refusal in refusals
        ],
        "comparison": compared and _comparison(compared),
        "note": note,
    }


def _version(served: ServedVersion) -> dict[str, Any]:
    return {
        "model": model(served.model),
        **served.policy.as_numbers(),
        "calibrator": served.calibrator_kind,
        "first_served_at": served.first_served_at,
    }


def _comparison(compared: Compared) -> dict[str, Any]:
    found: Comparison = compared.comparison
    return {
        **_matured(compared.looked, compared.costs),
        "agreement": found.agreement,
        "champion": _figures(compared.champion, found.champion),
        "challenger": _figures(compared.challenger, found.challenger),
        "difference": asdict(found.difference),
        "is_better": found.is_better,
    }


def _figures(version: ModelVersion, figures: Figures) -> dict[str, Any]:
    told = {field.name: asdict(getattr(figures, field.name)) for field in fields(figures)}
    return {"model": model(version), **told}


def _matured(looked: DecisionWindow, costs: CostModel) -> dict[str, Any]:
    return {
        "as_of": looked.at,
        "window": {"from": _moment(looked.from_s), "to": _moment(looked.to_s)},
        "matured": looked.count,
        "labelled": looked.labelled,
        "presumed_honest": looked.count - looked.labelled,
        "frauds": looked.frauds,
        "truncated": looked.truncated,
        "cost_model": asdict(costs),
        "selection_bias": SELECTION_BIAS,
    }


def _moment(unix_s: float) -> datetime:
    return datetime.fromtimestamp(unix_s, UTC)
