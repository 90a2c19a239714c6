"""What a change of thresholds would have changed, with intervals: money, reviews, declines, frauds.

Both pairs of thresholds decide the same transactions, so the resamples of the bootstrap
(`scoring.evaluation.bootstrap`) are paired: the interval of a difference is far shorter than those
of its two sides.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scoring.columns import BoolArray, FloatArray
from scoring.evaluation.bootstrap import (
    RESAMPLES,
    Interval,
    percentile_interval,
    resampled_totals,
)
from scoring.evaluation.comparison import MIN_FRAUDS
from scoring.policy import CostModel, Thresholds

_APPROVE, _REVIEW, _DECLINE = range(3)


@dataclass(frozen=True, slots=True)
class ThresholdFigures:
    """The results of two thresholds, or the difference of two results; see `PairOutcome`.

    Attributes:
        savings: net savings against approving everything, money.
        reviews: number of transactions reviewed.
        declines: number of transactions declined.
        caught: number of frauds reviewed or declined.
        missed: number of the other frauds.
        false_alarms: number of honest transactions reviewed.
        false_declines: number of honest transactions declined.
    """

    savings: Interval
    reviews: Interval
    declines: Interval
    caught: Interval
    missed: Interval
    false_alarms: Interval
    false_declines: Interval


@dataclass(frozen=True, slots=True)
class ThresholdChange:
    """The results of the thresholds before and after a change.

    Attributes:
        before: results of the thresholds before it.
        after: results of the thresholds after it.
        difference: results after it minus those before it.
        frauds: number of frauds of transactions with a weight, one each.
    """

    before: ThresholdFigures
    after: ThresholdFigures
    difference: ThresholdFigures
    frauds: int

    @property
    def has_intervals(self) -> bool:
        """Whether there are enough frauds for the intervals to say something."""
        return self.frauds >= MIN_FRAUDS


def threshold_change(
    score: FloatArray,
    amount: FloatArray,
    is_fraud: BoolArray,
    costs: CostModel,
    before: Thresholds,
    after: Thresholds,
    weights: FloatArray,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> ThresholdChange:
    """Return what two pairs of thresholds would have done with the same n transactions.

    Transactions with the same two outcomes, weight and cost form a group of the bootstrap; the
    amount of an honest transaction has no effect.

    Args:
        score: calibrated probabilities, float64 (n,), n >= 1.
        amount: amounts of the transactions, money, float64 (n,).
        is_fraud: labels, bool (n,).
        costs: costs of errors.
        before: thresholds before the change.
        after: thresholds after it.
        weights: number of transactions that each stands for, before scaling
            (`scoring.evaluation.weights`), float64 (n,).
        resamples: number of resamples.
        seed: seed of the resamples.
    """
    is_fraud = is_fraud & (weights > 0)
    distinct, weight_of = np.unique(weights, return_inverse=True)
    decided = _outcomes(score, before) + 3 * _outcomes(score, after) + 9 * weight_of
    honest = np.bincount(decided[~is_fraud], minlength=9 * distinct.size)
    fraud_groups, frauds = np.unique(
        np.column_stack([decided[is_fraud], costs.missed_costs(amount[is_fraud])]),
        axis=0,
        return_counts=True,
    )
    counts = np.concatenate([honest, frauds])
    group = np.concatenate([np.arange(honest.size), fraud_groups[:, 0].astype(np.int64)])
    fraud = np.repeat([0.0, 1.0], [honest.size, frauds.size])
    missed_cost = np.concatenate([np.zeros(honest.size), fraud_groups[:, 1]])
    sides = [
        _columns(outcome, fraud, missed_cost, costs) for outcome in (group % 3, group // 3 % 3)
    ]
    columns = [*sides[0], *sides[1], *(b - a for a, b in zip(*sides, strict=True))]
    value, drawn = resampled_totals(
        counts, distinct[group // 9], columns, resamples, np.random.default_rng(seed)
    )
    found = [percentile_interval(*total) for total in zip(value, drawn.T, strict=True)]
    count = len(sides[0])
    return ThresholdChange(
        ThresholdFigures(*found[:count]),
        ThresholdFigures(*found[count : 2 * count]),
        ThresholdFigures(*found[2 * count :]),
        int(np.count_nonzero(is_fraud)),
    )


def _outcomes(score: FloatArray, thresholds: Thresholds) -> NDArray[np.int64]:
    outcomes = np.where(score >= thresholds.review, _REVIEW, _APPROVE).astype(np.int64)
    if thresholds.decline is not None:
        outcomes[score >= thresholds.decline] = _DECLINE
    return outcomes


def _columns(
    outcome: NDArray[np.int64],
    fraud: FloatArray,
    missed_cost: FloatArray,
    costs: CostModel,
) -> list[FloatArray]:
    """Return what a transaction of each group adds to each figure, in the order of the figures."""
    reviewed, declined = (outcome == _REVIEW) * 1.0, (outcome == _DECLINE) * 1.0
    stopped, honest = reviewed + declined, 1 - fraud
    false_alarms, false_declines = reviewed * honest, declined * honest
    return [
        stopped * missed_cost
        - false_alarms * costs.false_alarm
        - false_declines * costs.declined_honest,
        reviewed,
        declined,
        stopped * fraud,
        (1 - stopped) * fraud,
        false_alarms,
        false_declines,
    ]
