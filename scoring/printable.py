"""Text as it can be shown in a terminal or a log."""

from __future__ import annotations


def printable(text: str) -> str:
    """Return text with control characters as escapes; the name of a file may hold any."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
