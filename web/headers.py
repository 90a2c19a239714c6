"""Headers of requests and replies that several routes share."""

from __future__ import annotations

import re
from collections.abc import Iterable

from starlette.requests import Request

from scoring.errors import FieldError, InvalidRequest, Unauthenticated
from scoring.external_id import EXTERNAL_ID_PATTERN

IDEMPOTENCY_KEY = "Idempotency-Key"
REPLAYED = (b"idempotent-replayed", b"true")
"""Header of a reply whose content an earlier request stored."""

_KEY = re.compile(EXTERNAL_ID_PATTERN)


def authorization(request: Request) -> str | None:
    """Return the Authorization header, or None without one.

    Raises:
        Unauthenticated: it is sent more than once, so that a proxy and this service could take
            different ones.
    """
    values = request.headers.getlist("authorization")
    if len(values) > 1:
        raise Unauthenticated("Send one Authorization header.")
    return values[0] if values else None


def caller(request: Request) -> int:
    """Return a hash of the Authorization header, which tells callers apart; no header is 0.

    Python's hash of bytes has a key of its process, so nobody can make two headers collide.
    """
    return caller_of(request.scope["headers"])


def caller_of(headers: Iterable[tuple[bytes, bytes]]) -> int:
    """Return what `caller` does, from the headers of an ASGI scope."""
    for name, value in headers:
        if name == b"authorization":
            return hash(value)
    return 0


def idempotency_key(request: Request) -> str | None:
    """Return the Idempotency-Key header, or None without one.

    Raises:
        InvalidRequest: the header is sent more than once, or is not 1 to 128 printable ASCII
            characters without spaces.
    """
    keys = request.headers.getlist("idempotency-key")
    if not keys:
        return None
    if len(keys) > 1:
        raise _invalid_key("must be sent once")
    if not _KEY.fullmatch(keys[0]):
        raise _invalid_key("must be 1 to 128 printable ASCII characters without spaces")
    return keys[0]


def _invalid_key(message: str) -> InvalidRequest:
    return InvalidRequest(
        f"The {IDEMPOTENCY_KEY} header {message}.", errors=(FieldError(IDEMPOTENCY_KEY, message),)
    )
