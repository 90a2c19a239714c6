"""Cells that a spreadsheet would run (https://owasp.org/www-community/attacks/CSV_Injection)."""

from __future__ import annotations

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # noqa: RUF001
"""What a cell begins with that is a formula to a spreadsheet. The last four are the full-width
forms, which spreadsheets of East Asian locales take too."""


def defused(text: str) -> str:
    """Return a cell that no spreadsheet runs: an apostrophe comes before a formula."""
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text
