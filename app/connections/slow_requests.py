"""Close connections whose request does not arrive in time.

uvicorn waits for the head of a request as long as the connection lasts. Once a second, all
connections of the process are looked at, since a timer for each request would cost more.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Any

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol
from uvicorn.server import ServerState

from observability.request_id import HEADER, request_id
from web.security_headers import SECURITY_HEADERS

ARRIVAL_S = 10.0
"""Longest time from the first byte of a request, or from the opening of its connection, to the end
of its head, and of a scoring request to its end."""
_STEP_S = 1.0
_TOO_SLOW = b"The request did not arrive in time."
_HEADERS = (
    (b"content-type", b"text/plain; charset=utf-8"),
    (b"content-length", b"%d" % len(_TOO_SLOW)),
    (b"connection", b"close"),
    *SECURITY_HEADERS,
)


class TimedProtocol(HttpToolsProtocol):
    """A connection that knows since when it waits for a request.

    Attributes:
        waits_since_s: time of the loop at which the request began to arrive; None: none arrives.
    """

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.waits_since_s: float | None = self.loop.time()
        if not getattr(server_state, "is_watched", False):
            server_state.is_watched = True  # type: ignore[attr-defined]
            self.loop.call_later(_STEP_S, _close_slow, server_state, self.loop)

    def on_message_begin(self) -> None:
        """Note when a request begins."""
        super().on_message_begin()
        self.waits_since_s = self.loop.time()

    def on_headers_complete(self) -> None:
        """Start to answer a request, which has arrived in time."""
        self.waits_since_s = None
        super().on_headers_complete()

    def close_if_slow(self, now_s: float) -> None:
        """Reply 408 and close the connection if its request is late, and none before is open."""
        if self.waits_since_s is None or now_s - self.waits_since_s < ARRIVAL_S:
            return
        if self.cycle is None or self.cycle.response_complete:
            self.waits_since_s = None
            self._reply_too_slow()
            self.transport.close()

    def _reply_too_slow(self) -> None:
        identifier = request_id(self.headers or ()).encode()
        headers = (*self.server_state.default_headers, (HEADER, identifier), *_HEADERS)
        lines = (name + b": " + value + b"\r\n" for name, value in headers)
        head = STATUS_LINE[HTTPStatus.REQUEST_TIMEOUT] + b"".join(lines)
        self.transport.write(head + b"\r\n" + _TOO_SLOW)


def _close_slow(state: ServerState, loop: asyncio.AbstractEventLoop) -> None:
    now_s = loop.time()
    for connection in list(state.connections):
        if isinstance(connection, TimedProtocol):
            connection.close_if_slow(now_s)
    loop.call_later(_STEP_S, _close_slow, state, loop)
