"""Close connections whose request does not arrive in time.

uvicorn waits for the head of a request as long as the connection lasts. Once a second, all
connections of the process are looked at, since a timer for each request would cost more.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

ARRIVAL_S = 10.0
"""Longest time from the first byte of a request, or from the opening of its connection, to the end
of its head, and of a scoring request to its end."""
_STEP_S = 1.0
_TOO_SLOW = b"The request did not arrive in time."
_REPLY = (
    b"HTTP/1.1 408 Request Timeout\r\ncontent-type: text/plain; charset=utf-8\r\n"
    b"content-length: %d\r\nconnection: close\r\n\r\n%b" % (len(_TOO_SLOW), _TOO_SLOW)
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
            self.transport.write(_REPLY)
            self.transport.close()


def _close_slow(state: ServerState, loop: asyncio.AbstractEventLoop) -> None:
    now_s = loop.time()
    for connection in list(state.connections):
        if isinstance(connection, TimedProtocol):
            connection.close_if_slow(now_s)
    loop.call_later(_STEP_S, _close_slow, state, loop)
