"""Compute the figures of probabilities that need no threshold."""

from __future__ import annotations

import numpy as np
from sklearn.metrics import average_precision_score, roc_auc_score

from scoring.columns import BoolArray, FloatArray
from scoring.evaluation.probability_metrics import brier, expected_calibration_error, log_losses


def quality(
    probability: FloatArray, is_fraud: BoolArray, counts: FloatArray | None = None
) -> dict[str, float]:
    """Return the figures that need no threshold, by the names they are logged under.

    Args:
        probability: probabilities strictly between 0 and 1, float64 (n,).
        is_fraud: labels, bool (n,), both kinds present.
        counts: number of transactions that each stands for, float64 (n,); None: one each.
    """
    of = {"sample_weight": counts}
    return {
        "pr_auc": float(average_precision_score(is_fraud, probability, **of)),
        "roc_auc": float(roc_auc_score(is_fraud, probability, **of)),
        "brier": brier(probability, is_fraud, counts),
        "log_loss": float(np.average(log_losses(probability, is_fraud), weights=counts)),
        "ece": expected_calibration_error(probability, is_fraud, counts=counts),
    }
