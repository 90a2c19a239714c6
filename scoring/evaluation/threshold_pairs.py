"""What both thresholds of a policy would have done: money, reviews and declines a day.

A transaction is declined from one score on and reviewed from a lower one on. A fraud above the
lower one is caught either way, so a decline instead of a review changes the money by the honest
transactions alone, and spares the reviewers. Where a false decline costs more than a false alarm,
declines pay only under a limit of reviews.

Everything is a difference of sums over descending scores, so a pair costs two binary searches, and
the best pair under limits is found among all pairs of scores in one pass over them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scoring.columns import BoolArray, FloatArray
from scoring.evaluation.weights import scaled
from scoring.policy import CostModel

NEVER = float("inf")
"""Decline threshold of a policy that declines nothing, in arrays."""
_ROUNDING = 1e-6
"""Slack of limits, payments: weighted counts are sums of rounded numbers."""


@dataclass(frozen=True, slots=True)
class PairOutcome:
    """The results of two thresholds.

    Attributes:
        review: score from which a transaction is reviewed.
        decline: score from which it is declined instead; None: none is.
        savings: net savings against approving everything, money.
        reviews_a_day: mean number of transactions reviewed a day.
        declines_a_day: mean number of transactions declined a day.
        caught: number of frauds reviewed or declined.
        missed: number of the other frauds.
        false_alarms: number of honest transactions reviewed.
        false_declines: number of honest transactions declined.
    """

    review: float
    decline: float | None
    savings: float
    reviews_a_day: float
    declines_a_day: float
    caught: int
    missed: int
    false_alarms: int
    false_declines: int


@dataclass(frozen=True, slots=True)
class PairGrid:
    """The results of every pair of r review and d decline thresholds.

    Attributes:
        savings: net savings against approving everything, money, float64 (r, d); NaN, here and
            below, where the decline threshold is the lower one.
        reviews_a_day: mean number of transactions reviewed a day, float64 (r, d).
        declines_a_day: mean number of transactions declined a day, float64 (r, d).
    """

    savings: FloatArray
    reviews_a_day: FloatArray
    declines_a_day: FloatArray


@dataclass(frozen=True, slots=True)
class ThresholdPairs:
    """The sums from which the results of any two thresholds follow.

    Position k of a sum, float64 (t + 1,), is about the k highest distinct scores.

    Attributes:
        thresholds: distinct scores, descending, float64 (t,).
        savings: net savings of reviewing them, money.
        flagged: number of transactions.
        caught: number of frauds.
        costs: costs of errors.
        days: length of the period, days.
    """

    thresholds: FloatArray
    savings: FloatArray
    flagged: FloatArray
    caught: FloatArray
    costs: CostModel
    days: float

    def at(self, review: float, decline: float | None = None) -> PairOutcome:
        """Return the results of two thresholds, which need not be scores.

        Args:
            review: score from which a transaction is reviewed.
            decline: score from which it is declined instead, at least `review`; None: none is.

        Raises:
            ValueError: the decline threshold is the lower one.
        """
        if decline is not None and decline < review:
            raise ValueError("the decline threshold must be at least the review threshold")
        both = np.array([review, NEVER if decline is None else decline])
        last, declined = self._positions(both).tolist()
        honest = self._honest
        return PairOutcome(
            review=review,
            decline=decline,
            savings=float(self.savings[last] - self._extra * honest[declined]),
            reviews_a_day=float(self.flagged[last] - self.flagged[declined]) / self.days,
            declines_a_day=float(self.flagged[declined]) / self.days,
            caught=round(float(self.caught[last])),
            missed=round(float(self.caught[-1] - self.caught[last])),
            false_alarms=round(float(honest[last] - honest[declined])),
            false_declines=round(float(honest[declined])),
        )

    def grid(self, review: FloatArray, decline: FloatArray) -> PairGrid:
        """Return the results of every pair.

        Args:
            review: scores from which a transaction is reviewed, float64 (r,).
            decline: scores from which it is declined instead, float64 (d,); NEVER: none is.
        """
        last, declined = self._positions(review)[:, None], self._positions(decline)[None, :]
        is_pair = decline[None, :] >= review[:, None]

        def of_pairs(values: FloatArray) -> FloatArray:
            return np.where(is_pair, values, np.nan)

        reviews = self.flagged[last] - self.flagged[declined]
        return PairGrid(
            savings=of_pairs(self.savings[last] - self._extra * self._honest[declined]),
            reviews_a_day=of_pairs(reviews / self.days),
            declines_a_day=of_pairs(self.flagged[declined] / self.days),
        )

    def best(
        self, max_alerts: float | None = None, max_declines: float | None = None
    ) -> PairOutcome:
        """Return the pair of scores with the largest savings under limits.

        Of equal savings, a pair that stops the fewest transactions is returned. The savings are
        those of the sample in which the pair was found, so they tend to be too high.

        Args:
            max_alerts: largest mean number of reviews a day, >= 0; None: any.
            max_declines: largest mean number of declines a day, >= 0; None: any.
        """
        flagged = self.flagged
        alerts = NEVER if max_alerts is None else max_alerts * self.days + _ROUNDING
        declines = NEVER if max_declines is None else max_declines * self.days + _ROUNDING
        last = np.arange(flagged.size)
        fewest = np.searchsorted(flagged, flagged - alerts)
        most = np.minimum(last, np.searchsorted(flagged, declines, side="right") - 1)
        declined = fewest if self._extra >= 0 else most
        savings = np.where(
            fewest <= most, self.savings - self._extra * self._honest[declined], -np.inf
        )
        place = int(np.argmax(savings))
        if not place:  # stops nothing
            return self.at((1 + float(self.thresholds[0])) / 2)
        top = int(declined[place])
        return self.at(
            float(self.thresholds[place - 1]), float(self.thresholds[top - 1]) if top else None
        )

    @property
    def _honest(self) -> FloatArray:
        return self.flagged - self.caught

    @property
    def _extra(self) -> float:
        """Cost of a decline of an honest transaction beyond that of a review."""
        return self.costs.declined_honest - self.costs.false_alarm

    def _positions(self, thresholds: FloatArray) -> NDArray[np.intp]:
        """Return how many distinct scores reach each threshold."""
        return np.searchsorted(-self.thresholds, -thresholds, side="right")


def threshold_pairs(
    score: FloatArray,
    amount: FloatArray,
    is_fraud: BoolArray,
    costs: CostModel,
    weights: FloatArray | None = None,
    *,
    days: float,
) -> ThresholdPairs:
    """Return what any two thresholds would have done with n transactions that the model decides.

    Args:
        score: calibrated probabilities, float64 (n,).
        amount: amounts of the transactions, money, float64 (n,).
        is_fraud: labels, bool (n,).
        costs: costs of errors.
        weights: number of transactions that each stands for, before scaling
            (`scoring.evaluation.weights`), float64 (n,); None: one each.
        days: length of the period of the transactions, days, > 0.

    Raises:
        ValueError: there are no transactions, or the period has no length.
    """
    if not score.size:
        raise ValueError("thresholds need at least one transaction")
    if not days > 0:
        raise ValueError("days must be > 0")
    counts = np.ones(score.size) if weights is None else scaled(weights)
    order = np.argsort(-score, kind="stable")
    descending = score[order]
    last = np.flatnonzero(np.append(np.diff(descending) != 0, True))
    value = counts * np.where(is_fraud, costs.missed_costs(amount), -costs.false_alarm)

    def sums(values: FloatArray) -> FloatArray:
        return np.concatenate([[0.0], np.cumsum(values[order])[last]])

    return ThresholdPairs(
        thresholds=descending[last],
        savings=sums(value),
        flagged=sums(counts),
        caught=sums(counts * is_fraud),
        costs=costs,
        days=days,
    )
