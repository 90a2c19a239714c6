"""Text without control characters and other invisible ones."""

from __future__ import annotations

import re

INVISIBLE = (
    r"\u0000-\u001f\u007f-\u00a0\u00ad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u1680"
    r"\u180e\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\ue000-\uf8ff\ufeff"
    r"\ufff9-\ufffb\ufffe\uffff"
)
"""Members of a character class: controls, formats, private use, line breaks, and every space but
U+0020. A list of our own, since Python's `isprintable` refuses, by its Unicode version, the
characters of later ones. JSON Schemas have the same list."""

# JSON that is valid has no surrogates, and not every engine of regular expressions takes them.
_INVISIBLE = re.compile(rf"[{INVISIBLE}\ud800-\udfff]")


def is_visible(text: str) -> bool:
    """Return whether a text has visible characters and plain spaces only."""
    return text.isprintable() or not _INVISIBLE.search(text)


def is_trimmed(text: str) -> bool:
    """Return whether a text neither begins nor ends with a space."""
    return text[:1] != " " and text[-1:] != " "


def visible_pattern(max_length: int, *, trimmed: bool) -> str:
    """Return a regular expression for 1 to `max_length` visible characters.

    Args:
        max_length: largest number of characters, 2 or more.
        trimmed: whether the text must not begin or end with a space.
    """
    inner = f"[^{INVISIBLE}]"
    if not trimmed:
        return f"^{inner}{{1,{max_length}}}$"
    end = f"[^ {INVISIBLE}]"
    return f"^{end}({inner}{{0,{max_length - 2}}}{end})?$"
