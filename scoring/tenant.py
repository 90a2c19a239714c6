"""The form of a tenant's slug."""

from __future__ import annotations

import re

SLUG_FORM = r"[a-z][a-z0-9-]{1,39}"
"""2 to 40 lower-case letters, digits and dashes, a letter first; the same in Postgres's check."""

_SLUG = re.compile(SLUG_FORM)


def is_slug(text: str) -> bool:
    """Return whether a text has the form of a slug."""
    return _SLUG.fullmatch(text) is not None
