"""Limits of event types and of the values that events have."""

from __future__ import annotations

import re

MAX_FIELDS = 500
MAX_FIELD_NAME_LENGTH = 128
MAX_CATEGORY_VALUES = 10_000
"""Largest number of values of a closed category."""

MAX_CATEGORY_LENGTH = 256
MAX_ENTITY_LENGTH = 128
MAX_TEXT_LENGTH = 4096
"""Lengths are in characters."""

MAX_INTEGER = 2**53 - 1
"""Largest integer that float64 and JavaScript hold without rounding."""

MAX_FUTURE_US = 86_400 * 1_000_000
"""Microseconds by which a timestamp may be later than the clock: 24 hours."""

RESERVED_FIELDS = frozenset({"external_id"})
"""Names that a request has beside the fields."""

NAME_FORM = r"[a-z][a-z0-9_-]{1,39}"
"""Name of an event type: 2 to 40 lower-case letters, digits, dashes and underscores, a letter
first. A slug is such a name."""

NAME_RULE = (
    "must be 2 to 40 lower-case letters, digits, dashes and underscores, and begin with a letter"
)

_NAME = re.compile(NAME_FORM)


def is_event_type_name(text: str) -> bool:
    """Return whether a text has the form of the name of an event type."""
    return _NAME.fullmatch(text) is not None
