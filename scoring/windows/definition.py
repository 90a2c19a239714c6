"""What a window aggregates, and over which time."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Literal

WindowFunction = Literal[
    "count",
    "sum",
    "mean",
    "max",
    "min",
    "std",
    "distinct",
    "seconds_since_last",
    "first_seen",
    "fraud_rate",
]

_SECOND_US = 1_000_000
_MINUTE_US = 60 * _SECOND_US
_HOUR_US = 60 * _MINUTE_US
DAY_US = 24 * _HOUR_US

HOPS_US = (
    _SECOND_US,
    5 * _SECOND_US,
    _MINUTE_US,
    5 * _MINUTE_US,
    _HOUR_US,
    6 * _HOUR_US,
    DAY_US,
)
"""Steps by which the start of a window moves, in microseconds; each divides the next."""
HISTORY_US = 90 * DAY_US
"""Longest window, and the window of a definition without one."""
HOPS_IN_WINDOW = 30
"""Fewest hops in a window, so that rounding makes it at most 1/30 longer."""


@dataclass(frozen=True, slots=True)
class WindowDefinition:
    """An aggregate over an entity's events in a time before the event that is scored.

    Attributes:
        function: aggregate.
        by: entity field, or a pair of entity fields.
        window_us: length in microseconds, 1 minute to 90 days; None for 90 days, where
            `function` is seconds_since_last or first_seen.
        delay_us: time between the end of the window and the event, in microseconds; 0 unless
            `function` is fraud_rate.
        value: canonical text of the aggregated expression (sum, mean, max, min, std), or the
            field whose values are counted (distinct); else None.
        where: canonical text of the condition that an event must meet to be in the window; None
            for every event.
    """

    function: WindowFunction
    by: tuple[str, ...]
    window_us: int | None
    delay_us: int
    value: str | None
    where: str | None

    @property
    def length_us(self) -> int:
        """Length of the window before rounding, in microseconds."""
        return HISTORY_US if self.window_us is None else self.window_us


@cache
def hop_us(length_us: int) -> int:
    """Return the step by which the start of a window moves.

    Args:
        length_us: length of the window in microseconds, at least 30 s.

    Returns:
        The longest of `HOPS_US` that is at most a 30th of the length, in microseconds.
    """
    return max(hop for hop in HOPS_US if hop * HOPS_IN_WINDOW <= length_us)


def bounds_us(time_us: int, length_us: int, delay_us: int) -> tuple[int, int]:
    """Return the times that a window of an event covers.

    Args:
        time_us: time of the event in microseconds since 1970.
        length_us: length of the window in microseconds.
        delay_us: time between the end of the window and the event in microseconds.

    Returns:
        First time inside the window, a multiple of the hop, and first time after it.
    """
    hop = hop_us(length_us)
    return (time_us - delay_us - length_us) // hop * hop, time_us - delay_us
