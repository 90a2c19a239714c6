"""Confidence intervals by the bootstrap over transactions.

Efron, Tibshirani, "An Introduction to the Bootstrap" (1993), chapter 13: draw n of the n rows with
replacement many times, compute the figure of each draw, and take the percentiles. Draws are not
stratified by label, because the number of frauds in a period is random too. Decisions without a
weight are drawn like the others, because chance decided which of them show what they were; weights
are scaled in each draw.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scoring.columns import FloatArray
from scoring.evaluation.weights import scaled

LEVEL = 0.95

RESAMPLES = 1000
"""Default number of resamples: the ends of an interval vary by a few percent of its length from
seed to seed."""

_CHUNK_NUMBERS = 2_000_000
"""Numbers in a chunk of draws: 16 MB."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure with its 95 % interval.

    Attributes:
        value: figure of the original transactions.
        low: percentile 2.5 of the resampled figures, in the figure's unit.
        high: percentile 97.5 of the resampled figures, in the figure's unit.

    The value may lie outside of the interval where resampling shifts the figure: it raises a
    calibration error near 0.
    """

    value: float
    low: float
    high: float


def percentile_interval(value: float, resampled: FloatArray) -> Interval:
    """Return the percentile interval of a figure.

    Args:
        value: figure of the original rows.
        resampled: figure of each resample, float64 (r,).
    """
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(resampled, (tail, 1 - tail))
    return Interval(float(value), float(low), float(high))


def draws(
    counts: NDArray[np.int64], weights: FloatArray, resamples: int, rng: np.random.Generator
) -> Iterator[FloatArray]:
    """Draw all rows with replacement, and count what the drawn rows of each group stand for.

    Rows that are equal for the figure and have one weight form a group. Drawing n rows is then a
    multinomial draw over the groups, so the work grows with the number of groups, not of rows.

    Args:
        counts: number of rows in each group, int64 (g,), with a sum >= 1.
        weights: weight of a row of each group (`scoring.evaluation.weights`), float64 (g,).
        resamples: number of resamples in total.
        rng: random number generator; the same state gives the same draws.

    Yields:
        Chunks of the weighted number of drawn rows in each group, float64 (k, g), `resamples` rows
        in total.
    """
    total = int(counts.sum())
    chunk = max(1, _CHUNK_NUMBERS // counts.size)
    for start in range(0, resamples, chunk):
        size = min(chunk, resamples - start)
        drawn = rng.multinomial(total, counts / total, size=size).astype(np.float64)
        yield scaled(weights, drawn)


def resampled_totals(
    counts: NDArray[np.int64],
    weights: FloatArray,
    values: Sequence[FloatArray],
    resamples: int,
    rng: np.random.Generator,
) -> tuple[FloatArray, FloatArray]:
    """Return the total of each of f figures, of the original rows and of each resample.

    Args:
        counts: number of rows in each group, int64 (g,), with a sum >= 1.
        weights: weight of a row of each group, float64 (g,).
        values: for each figure, the amount that a row of each group adds, float64 (g,).
        resamples: number of resamples.
        rng: random number generator of the resamples.

    Returns:
        float64 (f,) and float64 (resamples, f).
    """
    table = np.column_stack(values)
    drawn = np.concatenate([draw @ table for draw in draws(counts, weights, resamples, rng)])
    return scaled(weights, counts.astype(np.float64)) @ table, drawn
