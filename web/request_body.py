"""The body of a request whose reply may begin before the body is received.

A reply such as 401 or 413 is sent without the body. A client that sends all of its body before it
reads, as Python's `urllib` does, would lose the reply: when the server closes a connection on which
data waits, the kernel sends a reset, and the client's kernel drops what it has received. So the
reply is sent, then the rest of the body is read and dropped up to a bound, and then the connection
is closed (RFC 9112, section 9.6).
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.types import Message, Receive, Scope, Send

MAX_DROPPED_BYTES = 64 * 1024 * 1024
MAX_DROP_S = 10.0
SMALL_BYTES = 64 * 1024
SMALL_BODY_WAIT_S = 0.05
"""Time that a small body gets to arrive, so that its connection can be used again: many clients
send the headers and the body one after the other."""


class RequestBody:
    """Receives a request's body, and drops what nobody has read when the reply is sent (ASGI).

    Attributes:
        is_received: whether the whole body was received, or the client disconnected.

    Args:
        scope: scope of the request.
        receive: receiver of the body's parts.
        send: sender of the reply's parts.
    """

    __slots__ = ("_has_unfinished_reply", "_receive", "_scope", "_send", "is_received")

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.is_received = False
        self._scope = scope
        self._receive = receive
        self._send = send
        self._has_unfinished_reply = False

    async def receive(self) -> Message:
        """Return the next part of the body."""
        message = await self._receive()
        if not message.get("more_body"):
            self.is_received = True
        return message

    async def send(self, message: Message) -> None:
        """Send a part of the reply; its end is kept back while the body is not received."""
        if message["type"] == "http.response.start":
            if not self.is_received:
                await self._receive_small()
            if not self.is_received:
                close = (b"connection", b"close")
                message = {**message, "headers": [*message.get("headers", ()), close]}
        elif not self.is_received and not message.get("more_body"):
            self._has_unfinished_reply = True
            message = {**message, "more_body": True}
        await self._send(message)

    async def finish(self) -> None:
        """Drop the rest of the body and end the reply; called after the last part was sent."""
        if not self._has_unfinished_reply:
            return
        dropped = 0
        try:
            async with asyncio.timeout(MAX_DROP_S):
                while not self.is_received and dropped < MAX_DROPPED_BYTES:
                    dropped += len((await self.receive()).get("body", b""))
        except TimeoutError:
            pass
        await self._send({"type": "http.response.body", "body": b""})

    async def _receive_small(self) -> None:
        """Receive and drop a small body; other bodies, and one that waits for a 100, are left."""
        length = b"0"
        for name, value in self._scope["headers"]:
            if name == b"content-length":
                length = value
            elif name in {b"transfer-encoding", b"expect"}:
                return
        if length == b"0":
            self.is_received = True
        elif int(length) <= SMALL_BYTES:
            try:
                async with asyncio.timeout(SMALL_BODY_WAIT_S):
                    while not self.is_received:
                        await self.receive()
            except TimeoutError:
                pass
