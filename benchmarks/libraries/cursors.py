"""Compare our cursors with those of itsdangerous."""

from __future__ import annotations

import string
from collections.abc import Callable
from hashlib import sha1, sha256
from typing import Any, Protocol
from uuid import UUID

import orjson

from api.pagination import Cursors
from benchmarks.libraries.timing import in_turn, show
from scoring.errors import InvalidRequest

_POSITION = [0.12345678901234567, UUID("01a20954-307f-76ad-bbfb-c426daea33c6")]
_QUERY = (1, "queue", ["high", "medium"], True)
_OTHER_QUERIES = [(2, *_QUERY[1:]), (1, "transactions"), _QUERY[:-1], ()]
_CANDIDATES = ["", *string.ascii_letters, *string.digits, *"-_=+/. \né"]


class Codec(Protocol):
    """The interface of the candidates."""

    def seal(self, position: list[Any], *query: object) -> str:
        """Return the cursor of a position."""

    def open(self, cursor: str, *query: object) -> list[Any]:
        """Return the position of a cursor."""


def compare(calls: int, rounds: int) -> None:
    """Print the length of a cursor, the accepted forgeries, and the times to seal and open."""
    codecs = _codecs()
    for name, codec in codecs.items():
        cursor = codec.seal(_POSITION, *_QUERY)
        if codec.open(cursor, *_QUERY) != [_POSITION[0], str(_POSITION[1])]:
            raise ValueError(f"{name} does not return the position")
        forgeries = {
            cursor[:at] + text + cursor[at + removed :]
            for at in range(len(cursor) + 1)
            for text in _CANDIDATES
            for removed in (0, 1)
        } - {cursor}
        opened = [forged for forged in forgeries if _opens(codec, forged, _QUERY)]
        refused = sum(not _opens(codec, cursor, query) for query in _OTHER_QUERIES)
        print(
            f"{name}: {len(cursor)} characters; {len(opened)} of {len(forgeries)} forgeries opened;"
            f" {refused} of {len(_OTHER_QUERIES)} other queries refused"
        )
    seals = {name: _sealing(codec) for name, codec in codecs.items()}
    show("seal", in_turn(seals, calls // 10, rounds), "ns")
    opens = {name: _opening(codec) for name, codec in codecs.items()}
    show("open", in_turn(opens, calls // 10, rounds), "ns")


def _opens(codec: Codec, cursor: str, query: tuple[object, ...]) -> bool:
    try:
        codec.open(cursor, *query)
    except InvalidRequest:
        return False
    return True


def _sealing(codec: Codec) -> Callable[[], object]:
    return lambda: codec.seal(_POSITION, *_QUERY)


def _opening(codec: Codec) -> Callable[[], object]:
    cursor = codec.seal(_POSITION, *_QUERY)
    return lambda: codec.open(cursor, *_QUERY)


def _codecs() -> dict[str, Codec]:
    from itsdangerous import BadSignature, URLSafeSerializer

    class Json:
        """A `serializer` for itsdangerous, exact for UUIDs and floats."""

        @staticmethod
        def dumps(value: object) -> str:
            return orjson.dumps(value).decode()

        loads = staticmethod(orjson.loads)

    class ByItsdangerous:
        def __init__(self, digest: Callable[..., Any]) -> None:
            self._how = {"key_derivation": "hmac", "digest_method": digest}

        def seal(self, position: list[Any], *query: object) -> str:
            return str(self._of(query).dumps(position))

        def open(self, cursor: str, *query: object) -> list[Any]:
            try:
                position: list[Any] = self._of(query).loads(cursor)
            except BadSignature as error:
                raise InvalidRequest("The cursor is not one of this query.") from error
            return position

        def _of(self, query: object) -> Any:  # noqa: ANN401 - generic in a type of its own
            salt = b"cursors" + orjson.dumps(query)
            return URLSafeSerializer(b"secret", salt, serializer=Json(), signer_kwargs=self._how)

    return {
        "ours": Cursors(b"secret"),
        "itsdangerous, SHA-256": ByItsdangerous(sha256),
        "itsdangerous, SHA-1 (its default)": ByItsdangerous(sha1),
    }
