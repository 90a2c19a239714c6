"""What people write into a cell of a file that has no value.

Files only: a request has null for a missing value, and any text in it is a value.
"""

from __future__ import annotations

MISSING_WORDS = ("", "na", "n/a", "nan", "null", "?", "-")
"""Cells that count as missing, in lower case and without the spaces around them. In a category
whose values name one of them, such as NA for Namibia, it is that value."""


def is_missing_word(cell: str) -> bool:
    """Return whether a cell counts as missing."""
    return cell.strip().lower() in MISSING_WORDS
