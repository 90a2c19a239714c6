"""The tuner's second half: what two thresholds, to review and to decline, would have done."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from persistence.labels.reader import MaturedDecisions
from scoring.evaluation.threshold_pairs import PairOutcome, threshold_pairs
from scoring.policy import CostModel, Thresholds

GRID = 12
"""Thresholds on each side of the grid."""


@dataclass(frozen=True, slots=True)
class PairTuning:
    """Outcomes by two thresholds.

    Attributes:
        current: outcome at the thresholds in force.
        best: outcome with the largest net savings within the limits.
        grid: outcomes of at most GRID review thresholds, each with no decline threshold and with
            those above it, by rising thresholds.
    """

    current: PairOutcome
    best: PairOutcome
    grid: list[PairOutcome]


def tune_pairs(
    matured: MaturedDecisions,
    costs: CostModel,
    current: Thresholds,
    days: float,
    max_reviews_a_day: float | None,
    max_declines_a_day: float | None,
) -> PairTuning | None:
    """Return what pairs of thresholds would have done; None where no fraud is known.

    Args:
        matured: n decisions with their labels.
        costs: costs of errors.
        current: thresholds in force.
        days: length of the time of the decisions, days.
        max_reviews_a_day, max_declines_a_day: limits of the best pair; None: no limit.
    """
    is_fraud = matured.is_fraud & (matured.weights > 0)
    if not is_fraud.any():
        return None
    pairs = threshold_pairs(
        matured.score, matured.amount, is_fraud, costs, matured.weights, days=days
    )
    # By the number of payments above: dense where few are.
    ranks = np.unique(np.geomspace(1, pairs.thresholds.size, GRID).round().astype(int)) - 1
    thresholds = sorted(pairs.thresholds[ranks].tolist())
    grid = [
        pairs.at(review, decline)
        for review in thresholds
        for decline in (None, *(other for other in thresholds if other >= review))
    ]
    return PairTuning(
        pairs.at(current.review, current.decline),
        pairs.best(max_reviews_a_day, max_declines_a_day),
        grid,
    )
