"""Find columns that give the label away."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scoring.columns import FloatArray
from scoring.features import BoolArray

BINS = 256
MIN_FRAUDS = 10
"""Fewest frauds in each half of the rows; a column may separate fewer by chance."""


@dataclass(frozen=True, slots=True)
class Separation:
    """How well the values of one column separate the rarer label from the other.

    Attributes:
        precision: share of the rarer label among the rows that the values assign to it.
        recall: share of the rarer label's rows that the values assign to it.
    """

    precision: float
    recall: float

    @property
    def least(self) -> float:
        """The smaller of precision and recall."""
        return min(self.precision, self.recall)


def separation(
    codes: NDArray[np.int64], numbers: FloatArray, is_fraud: BoolArray
) -> Separation | None:
    """Measure how well one column alone predicts the label.

    Each value predicts the label that most of its rows have in every second row; the other rows
    are predicted. Numbers are tried as values and in BINS bins of equal size.

    Args:
        codes: value of each row as a number, -1 where missing, int64 (n,).
        numbers: the values as numbers, NaN where they are none, float64 (n,).
        is_fraud: labels, bool (n,).

    Returns:
        The better of both, or None where there are fewer than MIN_FRAUDS in a half.
    """
    rare = is_fraud if np.count_nonzero(is_fraud) * 2 <= is_fraud.size else ~is_fraud
    if min(np.count_nonzero(rare[::2]), np.count_nonzero(rare[1::2])) < MIN_FRAUDS:
        return None
    tried = [_measured(codes + 1, rare)]
    finite = numbers[np.isfinite(numbers)]
    if finite.size:
        edges = np.unique(np.quantile(finite, np.linspace(0, 1, BINS + 1)[1:-1]))
        # NaN is sorted behind every edge: missing values are a bin of their own.
        bins = np.where(np.isnan(numbers), BINS + 1, np.searchsorted(edges, numbers, side="right"))
        tried.append(_measured(bins, rare))
    return max(tried, key=lambda found: found.least)


def _measured(codes: NDArray[np.int64], is_rare: BoolArray) -> Separation:
    known, asked = slice(0, None, 2), slice(1, None, 2)
    size = int(codes.max()) + 1
    rows = np.bincount(codes[known], minlength=size)
    frauds = np.bincount(codes[known], weights=is_rare[known], minlength=size)
    assigned = (2 * frauds > rows)[codes[asked]]
    found = float(np.count_nonzero(assigned & is_rare[asked]))
    return Separation(
        precision=found / max(float(np.count_nonzero(assigned)), 1.0),
        recall=found / float(np.count_nonzero(is_rare[asked])),
    )
