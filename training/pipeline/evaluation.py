"""Evaluate the finished model on the test part, once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from scoring.columns import BoolArray, FloatArray
from scoring.evaluation.bootstrap import Interval
from scoring.evaluation.weights import scaled
from scoring.model.calibration import UNCALIBRATED
from scoring.model.fraud_model import FraudModel
from training.pipeline.intervals import intervals
from training.pipeline.metrics import quality


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Figures of a model on transactions on which nothing was chosen.

    Attributes:
        metrics: figures of the calibrated score and of the decisions, by the names they are logged
            under; money in the tenant's currency, shares 0 to 1.
        intervals: 95 % bootstrap intervals of the figures in `training.pipeline.intervals`.
        uncalibrated: figures of the probability before calibration.
        raw: probabilities before calibration, float64 (n,).
        score: probabilities after calibration, float64 (n,).
        is_fraud: labels, bool (n,).
        counts: number of transactions that each stands for, float64 (n,).
    """

    metrics: Mapping[str, float]
    intervals: Mapping[str, Interval]
    uncalibrated: Mapping[str, float]
    raw: FloatArray
    score: FloatArray
    is_fraud: BoolArray
    counts: FloatArray

    def figures(self) -> dict[str, float]:
        """Return every figure by the name it is logged under: x, x_low, x_high, x_uncalibrated."""
        lows = {f"{name}_low": interval.low for name, interval in self.intervals.items()}
        highs = {f"{name}_high": interval.high for name, interval in self.intervals.items()}
        before = {f"{name}_uncalibrated": value for name, value in self.uncalibrated.items()}
        return {**self.metrics, **lows, **highs, **before}


def evaluate(
    model: FraudModel,
    margin: FloatArray,
    amount: FloatArray,
    is_fraud: BoolArray,
    weights: FloatArray | None = None,
) -> Evaluation:
    """Return the figures of n transactions, scored and decided by the model and its policy.

    Args:
        model: model as it will be served.
        margin: log-odds of the model, float64 (n,).
        amount: money, float64 (n,).
        is_fraud: labels, bool (n,), both kinds present among the transactions with a weight.
        weights: number of transactions that each stands for, before scaling
            (`scoring.evaluation.weights`), float64 (n,); None: one each.
    """
    if weights is None:
        weights = np.ones(margin.size)
    counts, is_fraud = scaled(weights), is_fraud & (weights > 0)
    raw = UNCALIBRATED(margin)
    score = model.calibrator(margin)
    flagged = score >= model.policy.threshold
    caught = float(counts[flagged & is_fraud].sum())
    alerts = float(counts[flagged].sum())
    frauds = float(counts[is_fraud].sum())
    costs = model.policy.cost_model
    savings = costs.net_savings(amount, is_fraud, flagged, counts)
    perfect = costs.perfect_savings(amount, is_fraud, counts)
    decisions = {
        "precision": caught / alerts if alerts else 0.0,
        "recall": caught / frauds,
        "alerts": alerts,
        "false_alarms": alerts - caught,
        "missed_frauds": frauds - caught,
        "net_savings": savings,
        "net_savings_perfect": perfect,
        # Costs are positive, but frauds of amount 0 cost nothing under an amount-based model.
        "net_savings_share": savings / perfect if perfect else 0.0,
    }
    return Evaluation(
        metrics=quality(score, is_fraud, counts) | decisions,
        intervals=intervals(score, amount, is_fraud, model.policy, weights),
        uncalibrated=quality(raw, is_fraud, counts),
        raw=raw,
        score=score,
        is_fraud=is_fraud,
        counts=counts,
    )
