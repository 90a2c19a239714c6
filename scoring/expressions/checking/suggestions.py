"""Suggestions: the names that a misspelt one may stand for."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

_MAX_COMPARED = 128
"""Characters of a name that is compared; comparing takes the product of both lengths."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return ` Did you mean `x`?`, or an empty text if no known name is close."""
    if len(name) > _MAX_COMPARED:
        return ""
    by_folded = {candidate.casefold(): candidate for candidate in sorted(known, reverse=True)}
    close = difflib.get_close_matches(name.casefold(), by_folded, n=2)
    if not close:
        return ""
    return f" Did you mean {' or '.join(f'`{by_folded[folded]}`' for folded in close)}?"
