"""Cursors: where a page ended, opaque to callers, and of no use to anybody but whom they were for.

A cursor is a position and a keyed checksum over it, the tenant and the query it belongs to. It
holds nothing secret, only what its page showed; the checksum is what makes a forged one a 422
instead of a way to ask for arbitrary positions.
"""

from __future__ import annotations

import binascii
import hashlib
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any

import orjson

from scoring.errors import FieldError, InvalidRequest

MAX_CURSOR_LENGTH = 200
_CHECKSUM_BYTES = 16


class Cursors:
    """Makes and reads cursors.

    Args:
        secret: the service's; cursors are good in every process that has the same.
    """

    def __init__(self, secret: bytes) -> None:
        # A key of its own: no checksum made here can pass for the hash of an API key.
        self._key = hmac.digest(secret, b"cursors", hashlib.sha256)

    def seal(self, position: list[Any], *query: object) -> str:
        """Return the cursor of a position.

        Args:
            position: JSON values.
            query: what the position is good for: the tenant, the route, every filter.
        """
        payload = orjson.dumps(position)
        return _text(self._checksum(payload, query) + payload)

    def open(self, cursor: str, *query: object) -> list[Any]:
        """Return the position that `seal` was given, with the same query.

        Raises:
            InvalidRequest: the cursor is not one of ours, or not of this query; names `cursor`.
        """
        try:
            content = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        except (binascii.Error, ValueError):
            content = b""
        checksum, payload = content[:_CHECKSUM_BYTES], content[_CHECKSUM_BYTES:]
        is_ours = hmac.compare_digest(checksum, self._checksum(payload, query))
        # The decoder skips what is not base64, so one position would have many spellings.
        if not is_ours or _text(content) != cursor:
            message = "is not one of this query; send next_cursor as it came, filters unchanged"
            raise InvalidRequest(f"The cursor {message}.", errors=(FieldError("cursor", message),))
        position: list[Any] = orjson.loads(payload)
        return position

    def _checksum(self, payload: bytes, query: tuple[object, ...]) -> bytes:
        message = orjson.dumps([*query, payload.decode("latin-1")])
        return hmac.digest(self._key, message, hashlib.sha256)[:_CHECKSUM_BYTES]


def _text(content: bytes) -> str:
    return urlsafe_b64encode(content).decode().rstrip("=")
