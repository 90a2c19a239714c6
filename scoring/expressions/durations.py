"""Durations as they are written: a whole number and a unit, such as `30d`."""

from __future__ import annotations

import re

UNITS_US = {"d": 86_400_000_000, "h": 3_600_000_000, "m": 60_000_000, "s": 1_000_000}
"""Microseconds by unit, the longest first."""
MIN_WINDOW_US = UNITS_US["m"]
MAX_WINDOW_US = 90 * UNITS_US["d"]

_DURATION = re.compile(r"([0-9]{1,9})([smhd])\Z")


def parse_duration(text: str) -> int | None:
    """Return a duration in microseconds, or None if the text is not one."""
    found = _DURATION.match(text)
    return int(found[1]) * UNITS_US[found[2]] if found else None


def format_duration(duration_us: int) -> str:
    """Return a duration in the longest unit that divides it: 86,400 s is `1d`."""
    unit = next(unit for unit, size in UNITS_US.items() if duration_us % size == 0)
    return f"{duration_us // UNITS_US[unit]}{unit}"
