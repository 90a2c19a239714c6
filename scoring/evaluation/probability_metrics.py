"""Metrics of a model's probabilities that need no threshold."""

from __future__ import annotations

from dataclasses import dataclass

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


@dataclass(frozen=True, slots=True)
class CalibrationBin:
    """Transactions of similar scores.

    Attributes:
        predicted: mean score, 0 to 1.
        observed: share of frauds, 0 to 1.
        low: lower end of the 95 % interval of that share.
        high: upper end of it.
        count: number of transactions.
    """

    predicted: float
    observed: float
    low: float
    high: float
    count: int


def calibration_bins(
    probability: FloatArray, is_fraud: BoolArray, bins: int, counts: FloatArray
) -> list[CalibrationBin]:
    """Return the predicted and observed fraud rates of bins of about equally many frauds.

    Frauds are rare: with bins of equally many rows, all but one would lie near 0. Transactions are
    ordered by score and cut where a bin has its share of the sum of the scores, which is the number
    of frauds that the model expects. Intervals are Wilson's: "Probable Inference, the Law of
    Succession, and Statistical Inference" (JASA 1927).

    Args:
        probability: predicted probabilities, float64 (n,), n >= 1.
        is_fraud: labels, bool (n,).
        bins: number of bins at most; equal probabilities share a bin.
        counts: number of transactions that each stands for, float64 (n,).

    Returns:
        Bins by rising probability.
    """
    order = np.argsort(probability, kind="stable")
    score, fraud, stands_for = probability[order], is_fraud[order], counts[order]
    expected = np.cumsum(stands_for * score)
    wanted = np.floor(expected / expected[-1] * bins * (1 - 1e-12)).astype(np.int64)
    # Equal probabilities go where the first of them goes.
    first = np.searchsorted(score, score, side="left")
    _, bin_of = np.unique(wanted[first], return_inverse=True)
    size = np.bincount(bin_of, weights=stands_for)
    predicted = np.bincount(bin_of, weights=stands_for * score)
    observed = np.bincount(bin_of, weights=stands_for * fraud)
    found = []
    for n, p, o in zip(size.tolist(), predicted.tolist(), observed.tolist(), strict=True):
        if n > 0:
            low, high = _wilson(o / n, n)
            found.append(CalibrationBin(p / n, o / n, low, high, round(n)))
    return found


def _wilson(share: float, count: float) -> tuple[float, float]:
    z2 = 1.959963984540054**2
    middle = (share + z2 / (2 * count)) / (1 + z2 / count)
    half = (z2 * (share * (1 - share) / count + z2 / (4 * count**2))) ** 0.5 / (1 + z2 / count)
    return max(0.0, middle - half), min(1.0, middle + half)
