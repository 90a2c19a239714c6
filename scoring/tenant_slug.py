"""The slug of a tenant: its name in commands, and part of its model's name in MLflow."""

from __future__ import annotations

import re

SLUG_PATTERN = "[a-z][a-z0-9-]{1,39}"
"""2 to 40 lower-case letters, digits and dashes, a letter first; for the whole text."""

_SLUG = re.compile(SLUG_PATTERN)


def is_slug(text: str) -> bool:
    """Whether a text is the slug of a possible tenant."""
    return _SLUG.fullmatch(text) is not None
