"""Request ids: the caller's own when it is usable, else a new one.

The reply, the log line of the batch and the spans contain the id, so a caller's logs can be joined
with the service's.
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
"""Header of requests and replies; ASGI's header names are lower case."""

# No character that a log viewer, a shell or a spreadsheet interprets.
_USABLE = re.compile(rb"[A-Za-z0-9._:/+@-]{1,128}")


@dataclass(frozen=True, slots=True)
class Origin:
    """The request that an item of a batch belongs to.

    Attributes:
        request_id: id of the request.
        span: span of the request; None when traces are off.
    """

    request_id: str
    span: Span | None = None


def request_id(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """Return the id of a request: 1 to 128 of `A-Z a-z 0-9 . _ : / + @ -`.

    Args:
        headers: headers of an ASGI scope; the first X-Request-ID counts. An id that is too long or
            has other characters is replaced.
    """
    for name, value in headers:
        if name == HEADER:
            if _USABLE.fullmatch(value):
                return value.decode("ascii")
            break
    return os.urandom(16).hex()
