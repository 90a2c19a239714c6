"""Figures that say how good probabilities are, for any model, without a threshold."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from scoring.features import BoolArray, FloatArray

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


def equal_count_bins(probability: FloatArray, bins: int = ECE_BINS) -> NDArray[np.intp]:
    """Return each row's bin, from 0: about equally many rows a bin, equal scores together."""
    edges = np.unique(np.quantile(probability, np.linspace(0, 1, bins + 1)[1:-1]))
    return np.searchsorted(edges, probability, side="left")


def expected_calibration_error(
    probability: FloatArray, is_fraud: BoolArray, bins: int = ECE_BINS
) -> float:
    """Return the mean distance of predicted from observed fraud rates, weighted by rows, 0 to 1.

    Bins hold equally many rows: with frauds this rare, bins of equal width would put all but a
    handful of rows into the first. Nixon et al., "Measuring Calibration in Deep Learning" (CVPR
    workshops 2019), "adaptive" binning.
    """
    bin_of = equal_count_bins(probability, bins)
    difference = np.bincount(bin_of, weights=probability - is_fraud)
    return float(np.abs(difference).sum() / probability.shape[0])
