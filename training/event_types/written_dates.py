"""Tell what is wrong with texts that are dates without the year first, which no times may be."""

from __future__ import annotations

import re
from collections.abc import Collection

_DATE = re.compile(r"(\d{1,2})([./-])(\d{1,2})\2(\d{4}|\d\d)(?:,?[ T](\d.*))?")
_TIME = re.compile(r"\d\d:\d\d(?::\d\d(?:\.\d+)?)?")
_MOSTLY = 0.9


def fault_of_dates(texts: Collection[str]) -> str | None:
    """Return what texts are that are dates without the year first, and how to write them.

    Args:
        texts: different texts of a column.

    Returns:
        The rest of a sentence such as `The cells are`, and a sentence; None where fewer than nine
        tenths of the texts are such dates.
    """
    found = [match for text in texts if (match := _DATE.fullmatch(text))]
    if not found or len(found) < _MOSTLY * len(texts):
        return None
    above = (
        [match for match in found if int(match[1]) > 12],
        [match for match in found if int(match[3]) > 12],
    )
    # With two digits the year itself may be in any place.
    is_known = all(len(match[4]) == 4 for match in found) and (not above[0] or not above[1])
    for first, matches, day, month in (("day", above[0], 1, 3), ("month", above[1], 3, 1)):
        if is_known and matches:
            one = matches[0]
            written = f"{one[4]}-{int(one[month]):02}-{int(one[day]):02}"
            if one[5] and _TIME.fullmatch(one[5]):
                written += f" {one[5]}"
            return f"dates with the {first} first. Write the year first: {written} for {one[0]}."
    return (
        f"dates whose day and month may be confused, such as {found[0][0]}. Write the year first, "
        "as in 2026-05-31 13:45."
    )
