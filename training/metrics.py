"""Figures that say how good probabilities and decisions are."""

from __future__ import annotations

import numpy as np
from sklearn.metrics import average_precision_score, roc_auc_score

from scoring.features import FloatArray
from training.data import BoolArray

ECE_BINS = 15


def log_losses(probability: FloatArray, is_fraud: BoolArray) -> FloatArray:
    """Return -ln of the probability given to what happened, per row.

    Args:
        probability: strictly between 0 and 1, float64 (n,). is_fraud: bool (n,).
    """
    return -np.where(is_fraud, np.log(probability), np.log1p(-probability))


def brier(probability: FloatArray, is_fraud: BoolArray) -> float:
    """Return the mean squared error of the probabilities, 0 (perfect) to 1."""
    return float(np.mean(np.square(probability - is_fraud)))


def expected_calibration_error(
    probability: FloatArray, is_fraud: BoolArray, bins: int = ECE_BINS
) -> float:
    """Return the mean distance of predicted from observed fraud rates, weighted by rows, 0 to 1.

    Bins hold equally many rows (equal scores stay together): with frauds this rare, bins of equal
    width would put all but a handful of rows into the first. Nixon et al., "Measuring Calibration
    in Deep Learning" (CVPR workshops 2019), "adaptive" binning.
    """
    edges = np.unique(np.quantile(probability, np.linspace(0, 1, bins + 1)[1:-1]))
    bin_of = np.searchsorted(edges, probability, side="left")
    difference = np.bincount(bin_of, weights=probability - is_fraud, minlength=edges.size + 1)
    return float(np.abs(difference).sum() / probability.shape[0])


def quality(probability: FloatArray, is_fraud: BoolArray) -> dict[str, float]:
    """Return the figures that need no threshold, by the names they are logged under.

    Args:
        probability: strictly between 0 and 1, float64 (n,).
        is_fraud: bool (n,), both kinds present.
    """
    return {
        "pr_auc": float(average_precision_score(is_fraud, probability)),
        "roc_auc": float(roc_auc_score(is_fraud, probability)),
        "brier": brier(probability, is_fraud),
        "log_loss": float(log_losses(probability, is_fraud).mean()),
        "ece": expected_calibration_error(probability, is_fraud),
    }
