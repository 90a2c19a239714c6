"""Metrics of a model's probabilities that need no threshold."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from scoring.columns import BoolArray, FloatArray

ECE_BINS = 15


def log_losses(probability: FloatArray, is_fraud: BoolArray) -> FloatArray:
    """Return the log loss of each row: -ln of the probability of its label, float64 (n,).

    Args:
        probability: predicted probabilities, strictly between 0 and 1, float64 (n,).
        is_fraud: labels, bool (n,).
    """
    return -np.where(is_fraud, np.log(probability), np.log1p(-probability))


def brier(probability: FloatArray, is_fraud: BoolArray, counts: FloatArray | None = None) -> float:
    """Return the mean squared error of the probabilities, 0 (perfect) to 1.

    Args:
        probability: predicted probabilities, float64 (n,).
        is_fraud: labels, bool (n,).
        counts: number of transactions that each stands for, float64 (n,); None: one each.
    """
    return float(np.average(np.square(probability - is_fraud), weights=counts))


def equal_count_bins(probability: FloatArray, bins: int = ECE_BINS) -> NDArray[np.intp]:
    """Return the bin of each row, from 0.

    Bins hold about equally many rows, and equal probabilities share a bin.

    Args:
        probability: predicted probabilities, float64 (n,).
        bins: number of bins at most.
    """
    edges = np.unique(np.quantile(probability, np.linspace(0, 1, bins + 1)[1:-1]))
    return np.searchsorted(edges, probability, side="left")


def expected_calibration_error(
    probability: FloatArray,
    is_fraud: BoolArray,
    bins: int = ECE_BINS,
    counts: FloatArray | None = None,
) -> float:
    """Return the mean distance of predicted from observed fraud rates, weighted by rows, 0 to 1.

    Bins hold equally many rows. With bins of equal width nearly all rows would be in the first bin,
    because frauds are rare. Nixon et al., "Measuring Calibration in Deep Learning" (CVPR workshops
    2019), "adaptive" binning.

    Args:
        probability: predicted probabilities, float64 (n,).
        is_fraud: labels, bool (n,).
        bins: number of bins at most.
        counts: number of transactions that each stands for, float64 (n,); None: one each. Bins
            hold equally many rows, whatever these stand for.
    """
    if counts is None:
        counts = np.ones(probability.size)
    bin_of = equal_count_bins(probability, bins)
    difference = np.bincount(bin_of, weights=counts * (probability - is_fraud))
    return float(np.abs(difference).sum() / counts.sum())
