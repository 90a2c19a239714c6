"""Positions on the axes of charts, in percent of their width."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

Anchor = Literal["start", "middle", "end"]

_PROBABILITIES = (
    0.5, 0.1, 0.9, 0.01, 0.99, 0.001, 0.999, 0.0001, 0.9999, 0.05, 0.25, 0.75, 0.95, 0.02, 0.005,
    0.002, 0.98, 0.0005, 0.3, 0.7,
)  # fmt: skip
"""Probabilities that an axis marks where there is room, the first ones first."""


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark of an axis.

    Attributes:
        at: position in percent of the width.
        value: value that is marked.
        anchor: side of the mark on which its text ends, so that it stays within the chart.
    """

    at: float
    value: float
    anchor: Anchor = "middle"


@dataclass(frozen=True, slots=True)
class Scale:
    """A linear axis.

    Attributes:
        low: value at the left end.
        high: value at the right end, above `low`.
    """

    low: float
    high: float

    def at(self, value: float) -> float:
        """Return the position of a value in percent, from 0 to 100."""
        share = (value - self.low) / (self.high - self.low)
        return round(min(max(share, 0.0), 1.0) * 100, 2)

    def tick(self, value: float, text: float | None = None) -> Tick:
        """Return the mark of a value.

        Args:
            value: value on the axis.
            text: value that is written; None: the same.
        """
        at = self.at(value)
        return Tick(at, value if text is None else text, anchor_at(at))


def anchor_at(at: float) -> Anchor:
    """Return the side on which a text at a position ends."""
    return "start" if at < 12 else "end" if at > 88 else "middle"


def log_odds(probability: float) -> float:
    """Return the log-odds of a probability in (0, 1)."""
    return math.log(probability / (1 - probability))


def probability_of(margin: float) -> float:
    """Return the probability of log-odds."""
    return 1 / (1 + math.exp(-margin)) if margin > -700 else 0.0


def probability_ticks(scale: Scale, apart: float) -> tuple[Tick, ...]:
    """Return the marks of probabilities on an axis of log-odds.

    Args:
        scale: axis of log-odds.
        apart: least distance of two marks in percent of the width.
    """
    found: list[Tick] = []
    for probability in _PROBABILITIES:
        margin = log_odds(probability)
        if scale.low <= margin <= scale.high:
            tick = scale.tick(margin, probability)
            if all(abs(tick.at - other.at) >= apart for other in found):
                found.append(tick)
    return tuple(sorted(found, key=lambda tick: tick.at))
