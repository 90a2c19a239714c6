"""Find columns that give the label away."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scoring.columns import BoolArray, FloatArray

MAX_BINS = 32
MIN_FRAUDS = 10
"""Fewest rows of the rarer label in each half; a column may separate fewer by chance."""
ROWS_A_BIN = 10


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

    Each value predicts the label that most of its rows have in every second row of each label; the
    other rows are predicted. Numbers are tried as values and in bins, which have equally many rows
    of the rarer label: where that is one in a thousand, bins of equal size would hide it.

    Args:
        codes: value of each row as a number, -1 where missing, int64 (n,).
        numbers: the values as numbers, NaN where they are none, float64 (n,).
        is_fraud: labels, bool (n,).

    Returns:
        The better of both, or None where there are fewer than MIN_FRAUDS in a half.
    """
    rare = is_fraud if np.count_nonzero(is_fraud) * 2 <= is_fraud.size else ~is_fraud
    if np.count_nonzero(rare) < 2 * MIN_FRAUDS:
        return None
    known = np.empty(rare.size, dtype=np.bool_)
    for label in (rare, ~rare):
        known[label] = np.arange(np.count_nonzero(label)) % 2 == 0
    tried = [_measured(codes + 1, rare, known)]
    found = numbers[rare & np.isfinite(numbers)]
    if found.size:
        bins = min(MAX_BINS, found.size // ROWS_A_BIN) + 1
        edges = np.unique(np.quantile(found, np.linspace(0, 1, bins)))
        edges[-1] = np.nextafter(edges[-1], np.inf)
        # NaN is sorted behind every edge: missing values are a bin of their own.
        binned = np.where(
            np.isnan(numbers), edges.size + 1, np.searchsorted(edges, numbers, side="right")
        )
        tried.append(_measured(binned, rare, known))
    return max(tried, key=lambda found: found.least)


def _measured(codes: NDArray[np.int64], is_rare: BoolArray, known: BoolArray) -> Separation:
    size = int(codes.max()) + 1
    rows = np.bincount(codes[known], minlength=size)
    frauds = np.bincount(codes[known & is_rare], minlength=size)
    assigned = (2 * frauds > rows)[codes[~known]]
    asked = is_rare[~known]
    found = float(np.count_nonzero(assigned & asked))
    return Separation(
        precision=found / max(float(np.count_nonzero(assigned)), 1.0),
        recall=found / float(np.count_nonzero(asked)),
    )
