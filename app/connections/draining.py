"""End a worker without a broken connection: every request that reaches it is answered.

uvicorn closes its socket and every idle connection as soon as it is asked to end. A request that a
client sends at that moment on such a connection, or in the backlog of the socket, is answered with
a reset. So a worker first goes on for a while: it takes connections and requests as before, and the
last reply of each connection has `Connection: close`. Then the socket is closed, with no connection
left in its backlog, and after it what is still idle.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Callable, Sequence
from functools import partial

from uvicorn import Server
from uvicorn.server import ServerState

from app.connections.slow_requests import TimedProtocol
from app.supervisor import KEEPS_SOCKET

DRAIN_S = 10.0
"""Longest time in which connections are taken after the request to end. The requests that are then
in flight, which take 10 s at most, are answered, too, before the supervisor kills the worker
(`KILL_AFTER_S` in `app/supervisor.py`)."""
QUIET_S = 0.2
"""Time without any connection after which none is expected."""
LAST_REQUEST_S = 1.0
"""Longest time in which a connection that is open may still send its request."""
_STEP_S = 0.02

_shutdown = Server.shutdown


def drain_before_shutdown() -> None:
    """Make the servers of this process drain before they shut down."""
    Server.shutdown = _drain_and_shut_down  # type: ignore[method-assign]


class DrainingProtocol(TimedProtocol):
    """A connection whose last reply says so while the server drains."""

    def on_headers_complete(self) -> None:
        """Start to answer a request; while the server drains, it is the last of its connection."""
        before = self.cycle
        super().on_headers_complete()
        if is_draining(self.server_state):
            # A request that was sent before the reply to the one before is answered, too.
            if before is not None and not before.response_started:
                before.keep_alive = True
            self.drain()

    def drain(self) -> None:
        """Make the reply to the request in flight, if its head is not sent, the last one."""
        if self.cycle is not None and not self.cycle.response_started:
            self.cycle.keep_alive = False


def is_draining(state: ServerState) -> bool:
    """Whether a server was asked to end, so that each reply is the last of its connection."""
    return getattr(state, "is_draining", False)


async def _drain_and_shut_down(self: Server, sockets: list[socket.socket] | None = None) -> None:
    state = self.server_state
    state.is_draining = True  # type: ignore[attr-defined]
    for connection in list(state.connections):
        if isinstance(connection, DrainingProtocol):
            connection.drain()
    await _wait(self, DRAIN_S)
    if KEEPS_SOCKET not in os.environ:
        make: Callable[..., asyncio.Protocol] = self.config.http_protocol_class
        for late in _close_listening(self, sockets or []):
            await asyncio.get_running_loop().connect_accepted_socket(
                partial(make, self.config, state, self.lifespan.state),
                late,
                ssl=self.config.ssl,
            )
        await _wait(self, LAST_REQUEST_S)
    await _shutdown(self, sockets)


def _close_listening(server: Server, sockets: Sequence[socket.socket]) -> list[socket.socket]:
    """Refuse new connections; return those that wait in the backlog, which would be reset."""
    waiting = []
    for listening in sockets:
        listening.setblocking(False)
        # None waits (BlockingIOError), or another worker has shut the socket down before.
        with contextlib.suppress(OSError):
            while True:
                waiting.append(listening.accept()[0])
        # The supervisor has the socket open, too: closing it here would not close it.
        with contextlib.suppress(OSError):
            listening.shutdown(socket.SHUT_RDWR)
    for listener in server.servers:
        listener.close()
    return waiting


async def _wait(server: Server, most_s: float) -> None:
    """Return when no connection was open for QUIET_S, after a time, or when force is used."""
    loop = asyncio.get_running_loop()
    state = server.server_state
    end_s = loop.time() + most_s
    busy_s, answered = loop.time(), state.total_requests
    while not server.force_exit:
        now_s = loop.time()
        if state.connections or state.total_requests != answered:
            busy_s, answered = now_s, state.total_requests
        if now_s - busy_s >= QUIET_S or now_s >= end_s:
            return
        await asyncio.sleep(_STEP_S)
