"""WindowDefinition: one aggregate over the past events of an entity."""

from __future__ import annotations

from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class WindowDefinition:
    """What a window aggregates; features with equal windows share one definition.

    Attributes:
        function: aggregate.
        by: one entity field, or a pair in alphabetical order.
        window_us: length, 1 minute to 90 days in microseconds; None, for seconds_since_last and
            first_seen, is the longest history that is kept (90 days).
        delay_us: distance from the event back to the window's end; 0 but for fraud_rate.
        value: canonical text of the aggregated stateless expression (sum, mean, max, min, std) or
            of the counted field (distinct); else None.
        where: canonical text of the stateless filter, or None; an event for which it is missing
            does not pass.
    """

    function: WindowFunction
    by: tuple[str, ...]
    window_us: int | None
    delay_us: int
    value: str | None
    where: str | None
