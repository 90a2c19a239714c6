"""The tuner: what each threshold would have done on matured decisions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from persistence.labels.reader import MaturedDecisions
from scoring.counted import counted
from scoring.evaluation.cost_curve import Outcome, cost_curve
from scoring.policy import CostModel

MAX_POINTS = 200
"""Thresholds of a curve: as many as a chart of it can show."""


@dataclass(frozen=True, slots=True)
class Tuning:
    """Outcomes by threshold.

    Attributes:
        current: outcome at the threshold in force.
        best: outcome with the largest net savings.
        suggested: outcome at the threshold that training would choose.
        curve: at most MAX_POINTS outcomes by rising threshold, the three above among them.
        note: a sentence on a reason to distrust the curve, or None.
    """

    current: Outcome
    best: Outcome
    suggested: Outcome
    curve: list[Outcome]
    note: str | None


def tune(matured: MaturedDecisions, costs: CostModel, threshold: float) -> Tuning | str:
    """Return what each threshold would have done, or a sentence on why there is no answer.

    Args:
        matured: n decisions with their labels.
        costs: costs of the two errors.
        threshold: threshold in force.
    """
    count, is_fraud = matured.score.size, matured.is_fraud & (matured.weights > 0)
    if not count:
        return "No decision has matured within the window, so nothing says what became of any."
    if not is_fraud.any():
        return (
            f"None of the {counted(count, 'matured decision')} is a confirmed fraud, so nothing "
            "says what a "
            "threshold would catch."
        )
    curve = cost_curve(matured.score, matured.amount, is_fraud, costs, matured.weights)
    best, suggested = curve.at(float(curve.thresholds[curve.best])), curve.at(curve.chosen)
    points = {outcome.threshold: outcome for outcome in (curve.at(threshold), best, suggested)}
    thresholds, most = curve.thresholds, MAX_POINTS - len(points)
    if thresholds.size > most:
        # Geometric: every one where alerts are few, ever wider steps towards reviewing everything.
        kept = np.unique(np.geomspace(1, thresholds.size, most).round().astype(int)) - 1
        thresholds = thresholds[kept]
    points |= {t: curve.at(t) for t in thresholds.tolist()}
    return Tuning(
        current=points[threshold],
        best=best,
        suggested=suggested,
        curve=[points[t] for t in sorted(points)],
        note=None
        if best.savings > 0
        else "At these costs no threshold would have saved anything against approving everything.",
    )
