"""Calibration: how often decisions of a score turned out to be frauds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import sqrt

import numpy as np

from scoring.columns import BoolArray, FloatArray

_Z = 1.96


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """Decisions whose score is in a range.

    Attributes:
        low, high: the range; high is not in it, but for 1.
        count: decisions.
        frauds: frauds among them.
        expected: mean score, by weight.
        observed: share of frauds, by weight.
        interval: 95 % interval of the share (Wilson).
    """

    low: float
    high: float
    count: int
    frauds: int
    expected: float
    observed: float
    interval: tuple[float, float]


def reliability(
    scores: FloatArray, is_fraud: BoolArray, weights: FloatArray, edges: Sequence[float]
) -> list[ReliabilityBin]:
    """Return the calibration by ranges of the score, without ranges that have no decision.

    Args:
        scores: calibrated probabilities, float64 (n,).
        is_fraud: labels, bool (n,).
        weights: decisions that each stands for, float64 (n,); 0: nobody knows what it was.
        edges: ends of the ranges between 0 and 1, ascending.
    """
    known = weights > 0
    place = np.searchsorted(np.asarray(edges), scores, "right")
    found = []
    for number, (low, high) in enumerate(pairwise((0.0, *edges, 1.0))):
        rows = known & (place == number)
        count = int(np.count_nonzero(rows))
        if not count:
            continue
        weight = weights[rows]
        observed = float(np.average(is_fraud[rows], weights=weight))
        # Decisions of different weights say less than as many of the same weight (Kish).
        effective = float(weight.sum() ** 2 / (weight**2).sum())
        found.append(
            ReliabilityBin(
                low,
                high,
                count,
                int(np.count_nonzero(is_fraud[rows])),
                float(np.average(scores[rows], weights=weight)),
                observed,
                _wilson(observed, effective),
            )
        )
    return found


def _wilson(share: float, count: float) -> tuple[float, float]:
    """Return the 95 % interval of a share (Wilson, 1927)."""
    scale = 1 + _Z**2 / count
    middle = (share + _Z**2 / (2 * count)) / scale
    half = _Z * sqrt(share * (1 - share) / count + _Z**2 / (4 * count**2)) / scale
    return max(0.0, middle - half), min(1.0, middle + half)
