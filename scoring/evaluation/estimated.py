"""Performance before labels arrive, estimated from calibrated probabilities alone.

Confidence-based performance estimation: a payment whose probability of fraud is p is, for the
estimate, p frauds and 1 - p honest payments, so sums of p over what was flagged and over what was
approved give the expected numbers of frauds that were caught and missed
(https://nannyml.readthedocs.io/en/stable/how_it_works/performance_estimation.html). It holds as
long as the probabilities are calibrated: it follows a change of the payments, and not a change of
what fraud looks like.

Each payment is fraud or not independently of the others, so a number of frauds varies by the sum of
p (1 - p). Ranges are 95 % of a normal distribution with that variance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from math import sqrt

from scoring.policy import OUTCOMES, CostModel

_Z = 1.96
_APPROVE, _REVIEW, _DECLINE = (OUTCOMES.index(one) for one in ("approve", "review", "decline"))

Sums = Sequence[float]
"""A sum for each outcome, in the order of OUTCOMES."""


@dataclass(frozen=True, slots=True)
class ExpectedFrauds:
    """Sums over decisions with probability p and amount a, by outcome.

    Attributes:
        frauds: sums of p.
        fraud_amounts: sums of p a, money.
        variances: sums of p (1 - p).
        variance_amounts: sums of p (1 - p) a.
        variance_squares: sums of p (1 - p) a squared.
    """

    frauds: Sums
    fraud_amounts: Sums
    variances: Sums
    variance_amounts: Sums
    variance_squares: Sums

    def __add__(self, other: ExpectedFrauds) -> ExpectedFrauds:
        """Return the sums over the decisions of both."""
        return ExpectedFrauds(
            *(
                [mine + more for mine, more in zip(*pair, strict=True)]
                for one in fields(self)
                for pair in [(getattr(self, one.name), getattr(other, one.name))]
            )
        )


@dataclass(frozen=True, slots=True)
class Performance:
    """How well a model and its policy do on some decisions.

    Attributes:
        caught: frauds that were reviewed or declined.
        missed: frauds that were approved.
        precision: share of frauds in what was reviewed or declined; None where that is nothing.
        recall: share of the frauds that were caught; None without frauds.
        saved: money saved against approving everything; None where the costs are not known.
    """

    caught: float
    missed: float
    precision: float | None
    recall: float | None
    saved: float | None


def performance(
    decisions: Sums, frauds: Sums, fraud_amounts: Sums, costs: CostModel | None
) -> Performance:
    """Return the performance on decisions of which frauds are known, or expected.

    Args:
        decisions: number of decisions by outcome.
        frauds: number of frauds by outcome.
        fraud_amounts: their amounts, money.
        costs: costs of the errors; None: not known.
    """
    caught, missed = frauds[_REVIEW] + frauds[_DECLINE], frauds[_APPROVE]
    flagged = decisions[_REVIEW] + decisions[_DECLINE]
    saved = None
    if costs:
        saved = (
            costs.missed_fraud * caught
            + costs.missed_fraud_share * (fraud_amounts[_REVIEW] + fraud_amounts[_DECLINE])
            - costs.false_alarm * (decisions[_REVIEW] - frauds[_REVIEW])
            - costs.declined_honest * (decisions[_DECLINE] - frauds[_DECLINE])
        )
    return Performance(
        caught,
        missed,
        caught / flagged if flagged else None,
        caught / (caught + missed) if caught + missed else None,
        saved,
    )


def chance_ranges(
    decisions: Sums, expected: ExpectedFrauds, costs: CostModel | None
) -> dict[str, tuple[float, float]]:
    """Return the range in which chance leaves each figure of an estimate, 95 % of the time.

    The range of the recall is that of its first-order expansion (delta method).

    Args:
        decisions: number of decisions by outcome.
        expected: sums over the decisions.
        costs: costs of the errors; None: not known.

    Returns:
        Lowest and highest value by name of the figures that the estimate has.
    """
    estimate = performance(decisions, expected.frauds, expected.fraud_amounts, costs)
    flagged = decisions[_REVIEW] + decisions[_DECLINE]
    of_caught = expected.variances[_REVIEW] + expected.variances[_DECLINE]
    of_missed = expected.variances[_APPROVE]
    ranges = {
        "caught": _range(estimate.caught, of_caught, 0.0, flagged),
        "missed": _range(estimate.missed, of_missed, 0.0, decisions[_APPROVE]),
    }
    if estimate.precision is not None:
        ranges["precision"] = _range(estimate.precision, of_caught / flagged**2, 0.0, 1.0)
    if (recall := estimate.recall) is not None:
        of_recall = (1 - recall) ** 2 * of_caught + recall**2 * of_missed
        frauds = estimate.caught + estimate.missed
        ranges["recall"] = _range(recall, of_recall / frauds**2, 0.0, 1.0)
    if costs and estimate.saved is not None:
        ranges["saved"] = _range(estimate.saved, _variance_of_savings(expected, costs))
    return ranges


def _variance_of_savings(expected: ExpectedFrauds, costs: CostModel) -> float:
    """Return the variance of the money saved: a fraud that is flagged saves its loss and alarm."""
    total = 0.0
    for outcome, alarm in ((_REVIEW, costs.false_alarm), (_DECLINE, costs.declined_honest)):
        fixed, share = costs.missed_fraud + alarm, costs.missed_fraud_share
        total += (
            fixed**2 * expected.variances[outcome]
            + 2 * fixed * share * expected.variance_amounts[outcome]
            + share**2 * expected.variance_squares[outcome]
        )
    return total


def _range(
    value: float, variance: float, least: float = float("-inf"), most: float = float("inf")
) -> tuple[float, float]:
    half = _Z * sqrt(max(variance, 0.0))
    return max(least, value - half), min(most, value + half)
