"""Confidence intervals by the bootstrap over transactions.

Efron, Tibshirani, "An Introduction to the Bootstrap" (1993), chapter 13: draw n of the n rows with
replacement many times, compute the figure of each draw, and take the percentiles. Frauds and honest
rows are drawn together, not stratified: how many frauds a stretch of time has is chance too.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scoring.features import FloatArray

LEVEL = 0.95

RESAMPLES = 1000
"""With these the ends of an interval vary by a few percent of its length from seed to seed."""

_DRAWN_AT_ONCE = 2_000_000
"""Numbers held at a time: 16 MB."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure with its 95 % interval.

    Attributes:
        value: of the transactions as they are.
        low, high: percentiles 2.5 and 97.5 of the resampled figures, in the figure's unit. The
            figure itself may lie outside where resampling shifts it, as it raises a calibration
            error near 0.
    """

    value: float
    low: float
    high: float


def percentile_interval(value: float, resampled: FloatArray) -> Interval:
    """Return the interval of a figure.

    Args:
        value: of the rows as they are. resampled: the figure of each resample, float64 (r,).
    """
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(resampled, (tail, 1 - tail))
    return Interval(float(value), float(low), float(high))


def draws(
    counts: NDArray[np.int64], resamples: int, rng: np.random.Generator
) -> Iterator[FloatArray]:
    """Draw all rows with replacement, and tell of each group how many of its rows were drawn.

    To draw n rows is a multinomial draw over groups of rows that the figure cannot tell apart, so
    that the work grows with the groups and not with the rows.

    Args:
        counts: rows of each group, int64 (g,), their sum >= 1.
        resamples: how many in all.
        rng: the same state gives the same draws.

    Yields:
        float64 (k, g), `resamples` rows in all, some at a time.
    """
    total = int(counts.sum())
    at_once = max(1, _DRAWN_AT_ONCE // counts.size)
    for start in range(0, resamples, at_once):
        size = min(at_once, resamples - start)
        yield rng.multinomial(total, counts / total, size=size).astype(np.float64)
