"""Policy: what an error costs, the threshold that follows, and the decision at that threshold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from scoring.features import FloatArray

Decision = Literal["approve", "review"]
RiskBand = Literal["low", "medium", "high"]


@dataclass(frozen=True, slots=True)
class CostModel:
    """What the two errors cost, in the tenant's currency.

    A missed fraud costs `missed_fraud` plus `missed_fraud_share` of its amount; a false alarm costs
    `false_alarm`. The default is a flat 1,000 against 5; `CostModel(0, 1, 5)` is the amount-based
    one: a missed fraud costs what was stolen. Elkan, "The Foundations of Cost-Sensitive Learning"
    (IJCAI 2001).

    Raises:
        ValueError: a cost is negative or not finite, or a missed fraud or a false alarm is free.
    """

    missed_fraud: float = 1000.0
    missed_fraud_share: float = 0.0
    false_alarm: float = 5.0

    def __post_init__(self) -> None:
        costs = (self.missed_fraud, self.missed_fraud_share, self.false_alarm)
        if not all(np.isfinite(cost) and cost >= 0 for cost in costs):
            raise ValueError("every cost must be a finite number >= 0")
        if self.missed_fraud + self.missed_fraud_share == 0 or self.false_alarm == 0:
            raise ValueError("a missed fraud and a false alarm must each cost something")

    def missed_costs(self, amount: FloatArray) -> FloatArray:
        """Return what missing each transaction would cost were it fraud; shape of `amount`."""
        return self.missed_fraud + self.missed_fraud_share * amount

    def break_even(self) -> float:
        """Return the probability from which a review costs less than an approval, in (0, 1).

        Elkan's p* = false_alarm / (false_alarm + missed_fraud), equation (2).

        Raises:
            ValueError: a missed fraud costs a share of its amount, so each amount has its own.
        """
        if self.missed_fraud_share:
            raise ValueError("a missed fraud that costs a share of its amount has no one threshold")
        return self.false_alarm / (self.false_alarm + self.missed_fraud)

    def net_savings(
        self, amount: FloatArray, is_fraud: NDArray[np.bool_], flagged: NDArray[np.bool_]
    ) -> float:
        """Return the money saved against approving everything: frauds caught minus false alarms.

        Args:
            amount: float64 (n,). is_fraud, flagged: bool (n,).
        """
        caught = float(self.missed_costs(amount)[is_fraud & flagged].sum())
        return caught - self.false_alarm * int(np.count_nonzero(flagged & ~is_fraud))

    def perfect_savings(self, amount: FloatArray, is_fraud: NDArray[np.bool_]) -> float:
        """Return the savings of flagging exactly the frauds."""
        return self.net_savings(amount, is_fraud, is_fraud)


@dataclass(frozen=True, slots=True)
class Policy:
    """How a calibrated probability becomes a decision.

    Attributes:
        cost_model: the costs that chose the threshold.
        threshold: probability in (0, 1) from which a transaction is reviewed.
        high_from: probability in [threshold, 1) from which the risk band is `high`; between the
            two it is `medium`, below the threshold `low`.

    Raises:
        ValueError: a number is out of range.
    """

    cost_model: CostModel
    threshold: float
    high_from: float

    def __post_init__(self) -> None:
        if not 0 < self.threshold < 1:
            raise ValueError("threshold must lie strictly between 0 and 1")
        if not self.threshold <= self.high_from < 1:
            raise ValueError("high_from must lie in [threshold, 1)")

    @classmethod
    def at(cls, threshold: float, cost_model: CostModel) -> Policy:
        """Return the policy at a threshold; `high` begins at 0.5 or half-way from there to 1."""
        return cls(cost_model, threshold, 0.5 if threshold < 0.5 else (1.0 + threshold) / 2)

    def decide(self, score: float) -> Decision:
        """Return `review` from the threshold on, else `approve`."""
        return "review" if score >= self.threshold else "approve"

    def risk_band(self, score: float) -> RiskBand:
        """Return the band that the calibrated probability falls in."""
        if score >= self.high_from:
            return "high"
        return "medium" if score >= self.threshold else "low"

    def as_numbers(self) -> dict[str, Any]:
        """Return JSON-ready numbers from which `policy_from_numbers` makes an equal policy."""
        return asdict(self)


def policy_from_numbers(numbers: Mapping[str, Any]) -> Policy:
    """Make the policy that `as_numbers` described.

    Raises:
        ValueError: a number is missing, unknown or out of range.
    """
    try:
        costs = {name: float(cost) for name, cost in numbers["cost_model"].items()}
        return Policy(CostModel(**costs), float(numbers["threshold"]), float(numbers["high_from"]))
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"a policy lacks a number: {error}") from error
