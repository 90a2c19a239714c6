"""Request ids: the caller's own where it sends a usable one, else a new one.

They join a caller's logs to ours: the reply carries the id, and so do the line of the batch and the
spans.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from opentelemetry.trace import Span

HEADER = b"x-request-id"
"""In requests and in replies; ASGI's header names are lower case."""

# Nothing that a log viewer, a shell or a spreadsheet takes for more than text.
_USABLE = re.compile(rb"[A-Za-z0-9._:/+@-]{1,128}")


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an item of a batch came from.

    Attributes:
        request_id: of the request.
        span: of the request, where traces are on.
    """

    request_id: str
    span: Span | None = None


def request_id(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """Return the id of a request: 1 to 128 of `A-Z a-z 0-9 . _ : / + @ -`.

    Args:
        headers: of an ASGI scope; the first X-Request-ID counts. One that is too long or has other
            characters is not refused but replaced.
    """
    for name, value in headers:
        if name == HEADER:
            if _USABLE.fullmatch(value):
                return value.decode("ascii")
            break
    return os.urandom(16).hex()
