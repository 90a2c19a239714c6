"""Cursors: the position at which a page ended, opaque and bound to its tenant and query.

A cursor is a position and an HMAC-SHA-256 of it, the tenant and the query, truncated to 128 bits
(RFC 2104, section 5), in base64. It holds nothing secret, only what its page showed; the HMAC makes
a forged cursor a 422. Why not itsdangerous: docs/decisions/0011-libraries.md.
"""

from __future__ import annotations

import binascii
import hashlib
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any
from urllib.parse import urlencode

import orjson
from starlette.datastructures import MutableHeaders, QueryParams

from scoring.errors import FieldError, InvalidRequest

MAX_CURSOR_LENGTH = 200
_MAC_BYTES = 16


class Cursors:
    """Makes and reads cursors.

    Args:
        secrets: the service's secrets, at least one. A cursor is made with the first, and valid in
            every process that has its secret.
    """

    def __init__(self, *secrets: bytes) -> None:
        # Derived keys: no HMAC made here can pass for the hash of an API key.
        self._keys = [hmac.digest(secret, b"cursors", hashlib.sha256) for secret in secrets]

    def seal(self, position: list[Any], *query: object) -> str:
        """Return the cursor of a position.

        Args:
            position: JSON values.
            query: tenant, route and every filter that the position belongs to.
        """
        payload = orjson.dumps(position)
        return _text(_mac(self._keys[0], payload, query) + payload)

    def seal_next(
        self,
        headers: MutableHeaders,
        parameters: QueryParams,
        position: list[Any] | None,
        *query: object,
    ) -> str | None:
        """Return the cursor of the next page, and add it to the headers of the reply.

        `Link` (RFC 8288) holds the next page as a reference relative to the request's own address,
        so that it is also right behind a proxy that changes the path.

        Args:
            headers: headers of the reply.
            parameters: parameters of the request.
            position: position at which the page ended; None on the last page.
            query: as for `seal`.
        """
        if position is None:
            return None
        cursor = self.seal(position, *query)
        others = [(name, value) for name, value in parameters.multi_items() if name != "cursor"]
        headers["Link"] = f'<?{urlencode([*others, ("cursor", cursor)])}>; rel="next"'
        headers["X-Next-Cursor"] = cursor
        return cursor

    def open(self, cursor: str, *query: object) -> list[Any]:
        """Return the position of a cursor that `seal` made for the same query.

        Args:
            cursor: text that the caller sent.
            query: tenant, route and every filter of the caller's query.

        Raises:
            InvalidRequest: `seal` did not make the cursor, or made it for another query; names
                `cursor`.
        """
        try:
            content = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        except (binascii.Error, ValueError):
            content = b""
        mac, payload = content[:_MAC_BYTES], content[_MAC_BYTES:]
        is_ours = any(hmac.compare_digest(mac, _mac(key, payload, query)) for key in self._keys)
        # The decoder skips characters that are not base64: a position would have many cursors.
        if not is_ours or _text(content) != cursor:
            message = "is not one of this query; send next_cursor as it came, filters unchanged"
            raise InvalidRequest(f"The cursor {message}.", errors=(FieldError("cursor", message),))
        position: list[Any] = orjson.loads(payload)
        return position


def _mac(key: bytes, payload: bytes, query: tuple[object, ...]) -> bytes:
    message = orjson.dumps([*query, payload.decode("latin-1")])
    return hmac.digest(key, message, hashlib.sha256)[:_MAC_BYTES]


def _text(content: bytes) -> str:
    return urlsafe_b64encode(content).decode().rstrip("=")
