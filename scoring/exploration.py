"""Randomised approvals: a small share of the payments that would be reviewed is approved at random.

A payment that is stopped never shows what it was, so figures that are computed from labels know
nothing of it. The approved share shows it: with the probability of its approval each of them stands
for many (`scoring.evaluation.weights`). Manapat, "Counterfactual Evaluation of Machine Learning
Models" (QCon.ai 2018).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from hashlib import blake2b
from uuid import UUID

MAX_SHARE = 0.1
"""Largest share of the would-be reviews that may be approved at random."""

_HASH_KEY = b"sentinel.exploration"
_FULL = 2.0**64


@dataclass(frozen=True, slots=True)
class Exploration:
    """The part of a policy that approves would-be reviews at random.

    Attributes:
        share: probability with which a would-be review is approved, in (0, MAX_SHARE].
        max_amount: largest amount of a payment that may be approved so, money, > 0.

    Raises:
        ValueError: a number is out of range.
    """

    share: float
    max_amount: float

    def __post_init__(self) -> None:
        if not 0 < self.share <= MAX_SHARE:
            raise ValueError(f"explore.share must be > 0 and at most {MAX_SHARE}")
        if not (math.isfinite(self.max_amount) and self.max_amount > 0):
            raise ValueError("explore.max_amount must be a finite number > 0")

    def covers(self, amount: float | None) -> bool:
        """Whether a payment may be approved at random.

        Args:
            amount: amount of the payment, money; None without one.
        """
        return amount is not None and amount <= self.max_amount

    def approves(self, decision_id: UUID) -> bool:
        """Whether a payment that is covered is approved.

        A hash of the decision's id draws, so a replay has the same outcome. Nobody can choose the
        outcome: the id is made of random bits when the payment is decided.

        Args:
            decision_id: id of the prediction.
        """
        drawn = blake2b(decision_id.bytes, digest_size=8, key=_HASH_KEY).digest()
        return int.from_bytes(drawn, "big") < self.share * _FULL
