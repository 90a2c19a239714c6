"""Numbers of things in sentences."""

from __future__ import annotations


def counted(count: int, one: str, many: str = "") -> str:
    """Return a number with what it counts: `1 row`, `2,000 rows`.

    Args:
        count: how many there are.
        one: phrase that follows the number 1.
        many: phrase that follows any other number; empty: `one` with an s at its end.
    """
    return f"{count:,} {one if count == 1 else many or f'{one}s'}"
