"""A server that speaks `ServiceProtocol` in front of the fast path, and clients of plain bytes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from uvicorn.config import Config
from uvicorn.server import ServerState

from app.connections.protocol import ArrivingBodies, ServiceProtocol
from observability.tracing import Traces
from serving.admission import Admission
from serving.fast_path import FastPath
from serving.rate_limits import RateLimits
from tests.support.load import request

POST = request("POST", "/score", b"{}", X_Request_ID="one")
"""Paths and bodies mean nothing here: the application answers each request alike."""


class Server:
    """The protocol in front of the fast path; a test says when it answers.

    Attributes:
        admission: limit of one request in flight.
        arriving: bodies that are not whole yet.
        received: number of requests that the application was given.
        go: event that lets the application answer.
    """

    def __init__(self) -> None:
        self.admission = Admission(1)
        self.rates = RateLimits()
        self.arriving = ArrivingBodies()
        self.received = 0
        self.go = asyncio.Event()

    async def answer(self, call: Request) -> Response:
        """Answer when the test says so."""
        self.received += 1
        await call.body()
        await self.go.wait()
        return Response("decided")

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[int]:
        """Listen on a port."""

        async def below(_scope: Any, _receive: Any, send: Any) -> None:
            await Response("below")(_scope, _receive, send)

        apis = {"/score": self.answer}
        app = FastPath(below, apis, Traces(), 5, self.admission, self.rates)
        config = Config(app, log_config=None, timeout_keep_alive=5)
        config.load()
        make = partial(
            ServiceProtocol,
            *(config, ServerState(), {}),
            admission=self.admission,
            rates=self.rates,
            paths=apis,
            arriving=self.arriving,
        )
        server = await asyncio.get_running_loop().create_server(make, "127.0.0.1", 0)
        async with server:
            yield server.sockets[0].getsockname()[1]


class Connection:
    """A client's connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, port: int) -> Connection:
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    def send(self, data: bytes) -> None:
        self._writer.write(data)

    async def receive(self) -> tuple[int, dict[str, str], bytes]:
        """Return status, headers and body of the next reply."""
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode().splitlines()
        headers = dict(line.lower().split(": ", 1) for line in head[1:-1])
        body = await self._reader.readexactly(int(headers["content-length"]))
        return int(head[0].split(" ")[1]), headers, body

    async def is_closed(self) -> bool:
        """Whether nothing more comes."""
        return await self._reader.read() == b""

    def close(self) -> None:
        self._writer.close()

    def abort(self) -> None:
        """End the connection with a reset."""
        self._writer.transport.abort()


Run = Callable[[Server, int], Awaitable[None]]


def while_one_is_in_flight(run: Run) -> None:
    """Run a test while a request of another connection is in flight, then let it be answered."""

    async def main() -> None:
        server = Server()
        async with server.listening() as port:
            first = await Connection.open(port)
            first.send(POST)
            while not server.received:
                await asyncio.sleep(0.001)
            await run(server, port)
            server.go.set()
            assert (await first.receive())[0] == 200
            first.close()
            await asyncio.sleep(0.01)
            assert (server.admission.in_flight, server.admission.held) == (0, 0)
            assert server.arriving.total == 0

    asyncio.run(asyncio.wait_for(main(), 20))
