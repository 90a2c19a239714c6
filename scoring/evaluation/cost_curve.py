"""The cost curve: what every threshold would have saved, and the threshold to use."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scoring.features import BoolArray, FloatArray
from scoring.policy import CostModel


@dataclass(frozen=True, slots=True)
class Outcome:
    """What reviewing from a threshold on would have done.

    Attributes:
        threshold: probability from which a transaction is reviewed.
        savings: net savings against approving everything, money.
        flagged, caught: transactions reviewed and frauds among them.
    """

    threshold: float
    savings: float
    flagged: int
    caught: int


@dataclass(frozen=True, slots=True)
class CostCurve:
    """What every threshold would have saved.

    Attributes:
        thresholds: the distinct scores, descending, float64 (t,).
        savings: net savings of reviewing from each on, money, float64 (t,).
        flagged, caught: transactions reviewed and frauds among them, float64 (t,).
        perfect: the savings of reviewing exactly the frauds.
        best: index of the largest savings.
        lowest, highest: the outermost thresholds whose savings are within one fraud of the best.
        chosen: the threshold to use.
    """

    thresholds: FloatArray
    savings: FloatArray
    flagged: FloatArray
    caught: FloatArray
    perfect: float
    best: int
    lowest: float
    highest: float
    chosen: float

    @property
    def chosen_savings(self) -> float:
        """Net savings of the chosen threshold on the same transactions."""
        return self.at(self.chosen).savings

    def at(self, threshold: float) -> Outcome:
        """Return what any threshold, one of the scores or not, would have done."""
        last = _reached(self.thresholds, threshold)
        if last < 0:
            return Outcome(threshold, 0.0, 0, 0)
        return Outcome(
            threshold,
            float(self.savings[last]),
            int(self.flagged[last]),
            int(self.caught[last]),
        )


def cost_curve(
    score: FloatArray, amount: FloatArray, is_fraud: BoolArray, costs: CostModel
) -> CostCurve:
    """Compute net savings at every threshold and choose one that maximises them robustly.

    The savings' maximum is that of one sample, a spike or a wide plateau, and the next fraud scores
    below all F seen here with probability 1 / (F + 1). So every threshold is a candidate whose
    savings fall behind the best by no more than one fraud of average cost, and the choice among
    them is the one nearest to the average fraud rate. Where the two kinds are well apart,
    candidates reach from there to nearly 1, and the low end is the safer: one fraud of a new kind
    costs as much as many false alarms. Lower still, what is less suspicious than the average
    payment would be reviewed.

    This rule was chosen by looking at PaySim's steps 306 to 359, where it misses none of 165 frauds
    and the bare maximum misses three; on steps 447 to 743, looked at once and after the choice, it
    misses 8 of 827.

    Args:
        score: calibrated probabilities, float64 (n,). amount: money, float64 (n,).
        is_fraud: bool (n,), at least one true.
        costs: what errors cost.

    Raises:
        ValueError: there is no fraud, so nothing says what a threshold would catch.
    """
    if not is_fraud.any():
        raise ValueError("a cost curve needs a fraud")
    order = np.argsort(-score, kind="stable")
    descending = score[order]
    value = np.where(is_fraud, costs.missed_costs(amount), -costs.false_alarm)[order]
    last = np.flatnonzero(np.append(np.diff(descending) != 0, True))
    thresholds = descending[last]
    savings = np.cumsum(value)[last]
    best = int(np.argmax(savings))

    average_fraud = float(costs.missed_costs(amount)[is_fraud].mean())
    tied = savings >= savings[best] - average_fraud
    return CostCurve(
        thresholds=thresholds,
        savings=savings,
        flagged=(last + 1).astype(np.float64),
        caught=np.cumsum(is_fraud[order])[last].astype(np.float64),
        perfect=costs.perfect_savings(amount, is_fraud),
        best=best,
        lowest=float(thresholds[tied][-1]),
        highest=float(thresholds[tied][0]),
        chosen=_nearest_tied(thresholds, tied, float(is_fraud.mean())),
    )


def _reached(thresholds: FloatArray, threshold: float) -> int:
    """Return the index of the last of the descending scores that `threshold` reviews, or -1."""
    return int(np.searchsorted(-thresholds, -threshold, side="right")) - 1


def _nearest_tied(thresholds: FloatArray, tied: BoolArray, rate: float) -> float:
    """Return the tied threshold nearest to `rate` in proportion; `rate` itself where it is one."""
    if rate <= thresholds[0] and tied[_reached(thresholds, rate)]:
        return rate
    candidates = thresholds[tied]
    return float(candidates[np.argmin(np.abs(np.log(candidates / rate)))])
