"""Windows by their definition: every event looks at every earlier one, in plain Python."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from scoring.windows.definition import WindowDefinition

_HOPS_S = (1, 5, 60, 300, 3_600, 21_600, 86_400)
_HISTORY_US = 90 * 86_400_000_000


@dataclass(frozen=True)
class NaiveEvent:
    """An event; `key` None and a value None or not finite are missing.

    `known_us` None is an event without a label of fraud.
    """

    time_us: int
    key: object
    value: float | str | None = None
    meets: bool = True
    known_us: int | None = None


def naive_window(events: Sequence[NaiveEvent], definition: WindowDefinition) -> list[float]:
    """Return the value of a window for each event, in order of arrival."""
    return [naive_value(events[:i], event, definition) for i, event in enumerate(events)]


def naive_value(
    earlier: Sequence[NaiveEvent], event: NaiveEvent, definition: WindowDefinition
) -> float:
    """Return the value of a window for an event that arrives after others."""
    length_us = _HISTORY_US if definition.window_us is None else definition.window_us
    hop_us = max(hop * 1_000_000 for hop in _HOPS_S if hop * 1_000_000 * 30 <= length_us)
    end_us = event.time_us - definition.delay_us
    start_us = math.floor(Fraction(end_us - length_us, hop_us)) * hop_us
    seen = [
        e
        for e in earlier
        if event.key is not None
        and e.key == event.key
        and (definition.where is None or e.meets)
        and start_us <= e.time_us < end_us
    ]
    values = [e.value for e in seen if _is_present(e.value)]
    numbers = [v + 0.0 for v in values if isinstance(v, float)]  # -0.0 becomes 0.0
    match definition.function:
        case "count":
            return float(len(seen))
        case "sum":
            return exact_sum(numbers)
        case "distinct":
            return float(len(set(values)))
        case "mean":
            return exact_sum(numbers) / len(numbers) if numbers else math.nan
        case "std":
            return exact_deviation(numbers) if numbers else math.nan
        case "max":
            return max(numbers, default=math.nan)
        case "min":
            return min(numbers, default=math.nan)
        case "seconds_since_last":
            times = [e.time_us for e in seen]
            return (event.time_us - max(times)) / 1e6 if times else math.nan
        case "first_seen":
            times = [e.time_us for e in seen]
            return (event.time_us - min(times)) / 1e6 if times else math.nan
        case "fraud_rate":
            known = [e for e in seen if e.known_us is not None and e.known_us <= event.time_us]
            return len(known) / len(seen) if seen else math.nan


def _is_present(value: float | str | None) -> bool:
    return isinstance(value, str) or (value is not None and math.isfinite(value))


def exact_sum(numbers: Sequence[float]) -> float:
    """Return the correctly rounded sum, infinite beyond the range of float."""
    try:
        return math.fsum(numbers)
    except OverflowError:
        return _rounded(sum(map(Fraction, numbers), Fraction(0)))


def _rounded(number: Fraction) -> float:
    try:
        return number.numerator / number.denominator
    except OverflowError:
        return math.inf if number > 0 else -math.inf


def exact_deviation(numbers: Sequence[float]) -> float:
    """Return sqrt(d) / n, where d = n * sum of squares - square of the sum has 53 bits."""
    exact = [Fraction(number) for number in numbers]
    n = len(exact)
    d = n * sum(x * x for x in exact) - sum(exact) ** 2
    if not d:
        return 0.0
    exponent = d.numerator.bit_length() - d.denominator.bit_length()
    exponent -= d < Fraction(2) ** exponent
    exponent -= 52
    leading = float(round(d / Fraction(2) ** exponent))
    if exponent % 2:
        leading *= 2.0
        exponent -= 1
    return math.ldexp(math.sqrt(leading) / n, exponent // 2)
