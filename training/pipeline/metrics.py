"""Compute the figures of probabilities that need no threshold."""

from __future__ import annotations

from sklearn.metrics import average_precision_score, roc_auc_score

from scoring.columns import BoolArray, FloatArray
from scoring.evaluation.probability_metrics import brier, expected_calibration_error, log_losses


def quality(probability: FloatArray, is_fraud: BoolArray) -> dict[str, float]:
    """Return the figures that need no threshold, by the names they are logged under.

    Args:
        probability: probabilities strictly between 0 and 1, float64 (n,).
        is_fraud: labels, bool (n,), both kinds present.
    """
    return {
        "pr_auc": float(average_precision_score(is_fraud, probability)),
        "roc_auc": float(roc_auc_score(is_fraud, probability)),
        "brier": brier(probability, is_fraud),
        "log_loss": float(log_losses(probability, is_fraud).mean()),
        "ece": expected_calibration_error(probability, is_fraud),
    }
