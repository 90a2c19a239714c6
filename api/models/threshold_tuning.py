"""The tuner: what each threshold would have done on matured decisions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from api.models.schemas import MAX_POINTS
from persistence.labels.reader import MaturedDecisions
from scoring.evaluation.cost_curve import Outcome, cost_curve
from scoring.policy import CostModel


@dataclass(frozen=True, slots=True)
class Tuning:
    """Outcomes by threshold.

    Attributes:
        current: of the threshold in force.
        best: of the largest net savings.
        suggested: of the threshold that training would choose.
        curve: by rising threshold, at most MAX_POINTS, the three above among them.
        note: a sentence on what the curve says against itself, or None.
    """

    current: Outcome
    best: Outcome
    suggested: Outcome
    curve: list[Outcome]
    note: str | None


def tune(matured: MaturedDecisions, costs: CostModel, threshold: float) -> Tuning | str:
    """Return what each threshold would have done, or a sentence why nothing can be said.

    Args:
        matured: n decisions with their labels.
        costs: what errors cost.
        threshold: the one in force.
    """
    count = matured.score.size
    if not count:
        return "No decision has matured within the window, so nothing says what became of any."
    if not matured.is_fraud.any():
        return (
            f"None of the {count:,} matured decisions is a confirmed fraud, so nothing says what a "
            "threshold would catch."
        )
    curve = cost_curve(matured.score, matured.amount, matured.is_fraud, costs)
    best, suggested = curve.at(float(curve.thresholds[curve.best])), curve.at(curve.chosen)
    told = {outcome.threshold: outcome for outcome in (curve.at(threshold), best, suggested)}
    shown, room = curve.thresholds, MAX_POINTS - len(told)
    if shown.size > room:
        # Geometric: every one where alerts are few, ever wider steps towards reviewing everything.
        shown = shown[np.unique(np.geomspace(1, shown.size, room).round().astype(int)) - 1]
    told |= {t: curve.at(t) for t in shown.tolist()}
    return Tuning(
        current=told[threshold],
        best=best,
        suggested=suggested,
        curve=[told[t] for t in sorted(told)],
        note=None
        if best.savings > 0
        else "At these costs no threshold would have saved anything against approving everything.",
    )
