"""The caller's own id of an event: its idempotency key."""

from __future__ import annotations

import re
from typing import TypeGuard

MAX_EXTERNAL_ID_LENGTH = 128
EXTERNAL_ID_PATTERN = rf"^[\x21-\x7e]{{1,{MAX_EXTERNAL_ID_LENGTH}}}$"
EXTERNAL_ID_RULE = f"1 to {MAX_EXTERNAL_ID_LENGTH} printable ASCII characters without spaces"

_EXTERNAL_ID = re.compile(EXTERNAL_ID_PATTERN.replace("$", r"\Z"))


def is_external_id(value: object) -> TypeGuard[str]:
    """Return whether a value can be a caller's own id."""
    return isinstance(value, str) and _EXTERNAL_ID.match(value) is not None
