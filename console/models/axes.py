"""The axes of the pictures of scores: positions of values, and the values that are named."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from math import log, log10

SMALLEST, LARGEST = 0.0001, 0.9999
"""Scores at the ends of the longest axis."""
_NAMED = (0.0001, 0.001, 0.01, 0.05, 0.2, 0.5, 0.8, 0.95, 0.99, 0.999, 0.9999)


@dataclass(frozen=True, slots=True)
class Axis:
    """An axis from one value to another.

    Attributes:
        low: value at the beginning.
        high: value at the end, more than `low`.
        start: position of the beginning, SVG units.
        end: position of the end, SVG units.
        ticks: values that are named.
    """

    low: float
    high: float
    start: float
    end: float
    ticks: tuple[float, ...]

    def at(self, value: float) -> float:
        """Return the position of a value; one beyond an end is at that end."""
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return round(self.start + share * (self.end - self.start), 1)


@dataclass(frozen=True, slots=True)
class ScoreAxis:
    """An axis of scores by their log-odds, which spreads those near 0 and 1.

    Attributes:
        log_odds: axis of the log-odds.
        ticks: scores that are named.
    """

    log_odds: Axis
    ticks: tuple[float, ...]

    def at(self, score: float) -> float:
        """Return the position of a score; 0 and 1 are at the ends."""
        return self.log_odds.at(log_odds(score))


def log_odds(score: float) -> float:
    """Return ln(score / (1 - score)), of 0 and 1 that of the longest axis' ends."""
    inside = min(max(score, SMALLEST), LARGEST)
    return log(inside / (1 - inside))


def score_axis(scores: Iterable[float], start: float, end: float) -> ScoreAxis:
    """Return an axis that has room for scores, and for 1 % to 99 % in any case."""
    known = [log_odds(score) for score in scores]
    low, high = min([*known, log_odds(0.01)]), max([*known, log_odds(0.99)])
    ticks = tuple(score for score in _NAMED if low - 1e-9 <= log_odds(score) <= high + 1e-9)
    return ScoreAxis(Axis(low, high, start, end, ()), ticks)


def linear_axis(low: float, high: float, start: float, end: float, ticks: int = 4) -> Axis:
    """Return an axis of about so many round steps that holds two values.

    Args:
        low: smallest value.
        high: largest value; where it is not more than `low`, the axis is 1 long.
        start: position of the smallest, SVG units.
        end: position of the largest, SVG units.
        ticks: steps, about.
    """
    if high <= low:
        high = low + 1
    rough = (high - low) / ticks
    size = 10.0 ** math.floor(log10(rough))
    step = next(factor * size for factor in (1, 2, 5, 10) if factor * size >= rough * 0.999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    named = tuple(i * step for i in range(first, last + 1))
    return Axis(low, high, start, end, named)


def path(points: Iterable[tuple[float, float]]) -> str:
    """Return the `points` of a polyline."""
    return " ".join(f"{x:g},{y:g}" for x, y in points)
