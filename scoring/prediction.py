"""Predictions: what the model said about a batch, and what was decided about one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from scoring.features import FloatArray
from scoring.policy import Decision, RiskBand

TOP_FEATURES = 5


@dataclass(frozen=True, slots=True)
class ScoredBatch:
    """A model's words about n transactions.

    Attributes:
        features: float64 (n, f), the model's inputs.
        margins: float64 (n,), log-odds.
        contributions: float64 (n, f), log-odds; base_value + contributions[i].sum() == margins[i].
        base_value: log-odds of the model's average training transaction.
        raw_probabilities: float64 (n,), sigmoid of the margin, before calibration.
        scores: float64 (n,), calibrated probabilities.
    """

    features: FloatArray
    margins: FloatArray
    contributions: FloatArray
    base_value: float
    raw_probabilities: FloatArray
    scores: FloatArray


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """Which registered model, which version of it."""

    name: str
    version: int


class Prediction(NamedTuple):
    """One decided transaction, as it is stored and replied.

    A tuple, since a frozen dataclass of so many fields takes 1.0 us to be made and this 0.2.

    Attributes:
        score: calibrated probability of fraud.
        margin, base_value: log-odds.
        threshold: the policy's threshold at the time of the decision.
        features, contributions: one float per name in FEATURE_NAMES, in that order.
        model: the version that scored it.
    """

    score: float
    margin: float
    base_value: float
    raw_probability: float
    risk_band: RiskBand
    decision: Decision
    threshold: float
    features: Sequence[float]
    contributions: Sequence[float]
    model: ModelVersion

    def top_features(self, count: int = TOP_FEATURES) -> list[int]:
        """Return the indices of the `count` largest contributions by absolute value, largest first.

        Ties keep the order of FEATURE_NAMES, so that a stored prediction always reads the same.
        """
        sizes = list(map(abs, self.contributions))
        return sorted(range(len(sizes)), key=sizes.__getitem__, reverse=True)[:count]
