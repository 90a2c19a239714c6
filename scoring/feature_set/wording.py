"""Wording: numbers and durations as an analyst reads them."""

from __future__ import annotations

_SECOND_US = 1_000_000
_UNITS_S = (("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1))
_WHOLE = 1e15
"""Numbers up to here are written out with their digits."""


def number_words(value: float) -> str:
    """Return a number: `1,234`, `52.30`, `0.00123`."""
    if abs(value) >= _WHOLE:
        return f"{value:.3g}"
    if value == int(value):
        return f"{int(value):,}"
    return f"{value:,.2f}" if abs(value) >= 1 else f"{value:.3g}"


def factor_words(value: float) -> str:
    """Return a factor: `6.2`, `0.05`, `1,250`."""
    return f"{value:.3g}" if abs(value) < 1_000 else number_words(round(value))


def percent_words(share: float) -> str:
    """Return a share: `12 %`."""
    return f"{100 * share:.3g} %"


def count_words(count: float, noun: str) -> str:
    """Return a number of things: `no events`, `1 event`, `14 events`."""
    if count == 0:
        return f"no {noun}s"
    return f"1 {noun}" if count == 1 else f"{number_words(count)} {noun}s"


def elapsed_words(seconds: float) -> str:
    """Return a time span in its largest unit: `3 minutes`, `1.5 hours`."""
    unit, size = next(
        ((unit, size) for unit, size in _UNITS_S if abs(seconds) >= size), _UNITS_S[-1]
    )
    amount = seconds / size
    text = f"{amount:.2g}" if abs(amount) < 10 else f"{amount:,.0f}"
    return f"{text} {unit}" if text == "1" else f"{text} {unit}s"


def window_words(duration_us: int) -> str:
    """Return a window's length: `30 days`, `24 hours`, `1 hour`."""
    number, unit = _in_units(duration_us)
    return f"{number} {unit}" if number == 1 else f"{number} {unit}s"


def window_adjective(duration_us: int) -> str:
    """Return a window's length before a noun: `30-day`, `24-hour`."""
    number, unit = _in_units(duration_us)
    return f"{number}-{unit}"


def delayed_window_words(window_us: int, delay_us: int) -> str:
    """Return a window that ends in the past: `28 days before the last 7`."""
    if not delay_us:
        return f"last {window_words(window_us)}"
    _, unit = _in_units(window_us)
    number, delay_unit = _in_units(delay_us)
    delay = str(number) if unit == delay_unit else window_words(delay_us)
    return f"{window_words(window_us)} before the last {delay}"


def _in_units(duration_us: int) -> tuple[int, str]:
    # One day is 24 hours: a day may also be a calendar's.
    if duration_us == 86_400 * _SECOND_US:
        return 24, "hour"
    unit, size = next(
        (unit, size) for unit, size in _UNITS_S if duration_us % (size * _SECOND_US) == 0
    )
    return duration_us // (size * _SECOND_US), unit
