"""Policy: the cost of an error, the thresholds that follow, and the outcome at them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from scoring.columns import FloatArray
from scoring.exploration import Exploration

Outcome = Literal["approve", "review", "decline"]
RiskBand = Literal["low", "medium", "high"]
OUTCOMES: tuple[Outcome, ...] = ("approve", "review", "decline")
RISK_BANDS: tuple[RiskBand, ...] = ("high", "medium", "low")
"""Bands, riskiest first."""


@dataclass(frozen=True, slots=True)
class CostModel:
    """The costs of a missed fraud, of a false alarm and of a false decline.

    A missed fraud costs `missed_fraud` plus `missed_fraud_share` of its amount; a false alarm costs
    `false_alarm`. The default is a flat 1,000 against 5. With `CostModel(0, 1, 5)` a missed fraud
    costs its whole amount. Elkan, "The Foundations of Cost-Sensitive Learning" (IJCAI 2001). A
    decline of a fraud saves what a review of it saves.

    Attributes:
        missed_fraud: fixed cost of a missed fraud, in the tenant's currency.
        missed_fraud_share: share of the amount that a missed fraud costs.
        false_alarm: cost of a review of an honest transaction, in the tenant's currency.
        false_decline: cost of a decline of an honest transaction, in the tenant's currency; None:
            that of a false alarm.

    Raises:
        ValueError: a cost is negative or not finite, or a missed fraud, a false alarm or a false
            decline is free.
    """

    missed_fraud: float = 1000.0
    missed_fraud_share: float = 0.0
    false_alarm: float = 5.0
    false_decline: float | None = None

    def __post_init__(self) -> None:
        costs = (self.missed_fraud, self.missed_fraud_share, self.false_alarm, self.declined_honest)
        if not all(np.isfinite(cost) and cost >= 0 for cost in costs):
            raise ValueError("every cost must be a finite number >= 0")
        if self.missed_fraud + self.missed_fraud_share == 0 or self.false_alarm == 0:
            raise ValueError("a missed fraud and a false alarm must each cost something")
        if self.declined_honest == 0:
            raise ValueError("a false decline must cost something")

    @property
    def declined_honest(self) -> float:
        """Cost of a decline of an honest transaction, in the tenant's currency."""
        return self.false_alarm if self.false_decline is None else self.false_decline

    def as_numbers(self) -> dict[str, float]:
        """Return the costs by name, without a `false_decline` of None."""
        return {name: cost for name, cost in asdict(self).items() if cost is not None}

    def missed_costs(self, amount: FloatArray) -> FloatArray:
        """Return the cost of missing each transaction if it is a fraud, in the shape of `amount`.

        Args:
            amount: amounts of the transactions, money; NaN, of one without an amount, costs
                `missed_fraud` alone.
        """
        return self.missed_fraud + self.missed_fraud_share * np.where(np.isnan(amount), 0.0, amount)

    def break_even(self) -> float:
        """Return the probability from which a review costs less than an approval, in (0, 1).

        Elkan's p* = false_alarm / (false_alarm + missed_fraud), equation (2).

        Raises:
            ValueError: missed_fraud_share is not 0, so the probability depends on the amount.
        """
        if self.missed_fraud_share:
            raise ValueError("a cost model with missed_fraud_share has no single threshold")
        return self.false_alarm / (self.false_alarm + self.missed_fraud)

    def net_savings(
        self,
        amount: FloatArray,
        is_fraud: NDArray[np.bool_],
        flagged: NDArray[np.bool_],
        counts: FloatArray | None = None,
    ) -> float:
        """Return the money saved against approving everything: frauds caught minus false alarms.

        Args:
            amount: amounts of the transactions, money, float64 (n,).
            is_fraud: labels, bool (n,).
            flagged: transactions that are reviewed, bool (n,).
            counts: number of transactions that each stands for, float64 (n,); None: one each.
        """
        if counts is None:
            counts = np.ones(is_fraud.size)
        caught = float((counts * self.missed_costs(amount))[is_fraud & flagged].sum())
        return caught - self.false_alarm * float(counts[flagged & ~is_fraud].sum())

    def perfect_savings(
        self, amount: FloatArray, is_fraud: NDArray[np.bool_], counts: FloatArray | None = None
    ) -> float:
        """Return the net savings of reviewing exactly the frauds.

        Args:
            amount: amounts of the transactions, money, float64 (n,).
            is_fraud: labels, bool (n,).
            counts: number of transactions that each stands for, float64 (n,); None: one each.
        """
        return self.net_savings(amount, is_fraud, is_fraud, counts)


@dataclass(frozen=True, slots=True)
class Thresholds:
    """The scores at which the model reviews and declines.

    Attributes:
        review: score in (0, 1) from which the model reviews.
        decline: score in [review, 1) from which it declines; None: it never does.

    Raises:
        ValueError: a threshold is out of range.
    """

    review: float
    decline: float | None = None

    def __post_init__(self) -> None:
        if not 0 < self.review < 1:
            raise ValueError("threshold must lie strictly between 0 and 1")
        if self.decline is not None and not self.review <= self.decline < 1:
            raise ValueError("decline_from must lie in [threshold, 1)")

    def outcome(self, score: float) -> Outcome:
        """Return the model's outcome of a score."""
        if self.decline is not None and score >= self.decline:
            return "decline"
        return "review" if score >= self.review else "approve"


@dataclass(frozen=True, slots=True)
class Policy:
    """The rule that turns a score into a decision and a risk band.

    Attributes:
        cost_model: costs for which the threshold was chosen.
        threshold: score in (0, 1) from which a transaction is reviewed.
        high_from: score in [threshold, 1) from which the risk band is `high`. From the threshold
            to there the band is `medium`, below the threshold `low`.
        explore: share of the would-be reviews that is approved at random; None: none is. Only a
            tenant's own policy has it.
        decline_from: score in [threshold, 1) from which a transaction is declined; None: none is.
            Only a tenant's own policy has it.

    Raises:
        ValueError: a number is out of range.
    """

    cost_model: CostModel
    threshold: float
    high_from: float
    explore: Exploration | None = None
    decline_from: float | None = None

    def __post_init__(self) -> None:
        Thresholds(self.threshold, self.decline_from)
        if not self.threshold <= self.high_from < 1:
            raise ValueError("high_from must lie in [threshold, 1)")

    @classmethod
    def at(cls, threshold: float, cost_model: CostModel) -> Policy:
        """Return the policy for a threshold.

        The band `high` starts at 0.5; for a threshold of 0.5 or more, half-way from it to 1.

        Args:
            threshold: score in (0, 1) from which a transaction is reviewed.
            cost_model: costs for which the threshold was chosen.

        Raises:
            ValueError: the threshold is out of range.
        """
        return cls(cost_model, threshold, 0.5 if threshold < 0.5 else (1.0 + threshold) / 2)

    def decide(self, score: float) -> Outcome:
        """Return the outcome of a score by the thresholds alone: no chance, no rules, no lists."""
        return self.thresholds.outcome(score)

    @property
    def thresholds(self) -> Thresholds:
        """The scores at which the model reviews and declines."""
        return Thresholds(self.threshold, self.decline_from)

    def risk_band(self, score: float) -> RiskBand:
        """Return the risk band of a score."""
        if score >= self.high_from:
            return "high"
        return "medium" if score >= self.threshold else "low"

    def as_numbers(self) -> dict[str, Any]:
        """Return the policy as JSON-ready numbers; `policy_from_numbers` is the inverse."""
        numbers = asdict(self)
        numbers["cost_model"] = self.cost_model.as_numbers()
        for later in ("explore", "decline_from"):  # as releases that do not know them wrote it
            if numbers[later] is None:
                del numbers[later]
        return numbers


def policy_from_numbers(numbers: Mapping[str, Any]) -> Policy:
    """Return the policy that `Policy.as_numbers` serialised.

    Args:
        numbers: result of `Policy.as_numbers`, possibly read from JSON.

    Raises:
        ValueError: a number is missing, unknown or out of range.
    """
    try:
        costs = {name: float(cost) for name, cost in numbers["cost_model"].items()}
        explore = None
        if (chances := numbers.get("explore")) is not None:
            explore = Exploration(**{name: float(number) for name, number in chances.items()})
        decline_from = numbers.get("decline_from")
        return Policy(
            CostModel(**costs),
            float(numbers["threshold"]),
            float(numbers["high_from"]),
            explore,
            None if decline_from is None else float(decline_from),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"the policy is incomplete or malformed: {error}") from error
