"""The protocol of a connection refuses at once what is too much, over a real socket."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from time import perf_counter
from typing import Any

import pytest
import uvicorn
from starlette.requests import Request
from starlette.responses import Response
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from app.connections import slow_requests
from app.connections.draining import _close_listening
from app.connections.protocol import ServiceProtocol
from observability.tracing import Traces
from persistence.api_keys import Principal
from scoring.tenant import TenantLimits
from serving.admission import Admission
from serving.fast_path import FastPath
from serving.rate_limits import RateLimits
from tests.support.load import request
from web.request_body import SMALL_BYTES
from web.request_metrics import LATENCY

POST = request("POST", "/score", b"{}", X_Request_ID="one")
"""Paths and bodies mean nothing here: the application answers each request alike."""


class Server:
    """The protocol in front of the fast path; a test says when it answers.

    Attributes:
        admission: limit of one request in flight.
        received: number of requests that the application was given.
        go: event that lets the application answer.
    """

    def __init__(self) -> None:
        self.admission = Admission(1)
        self.rates = RateLimits()
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


def durations() -> float:
    """Return how many durations of /score were observed."""
    samples = [s for metric in LATENCY.collect() for s in metric.samples]
    counts = [s for s in samples if s.name.endswith("_count")]
    return sum(s.value for s in counts if s.labels == {"route": "/score"})


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

    asyncio.run(asyncio.wait_for(main(), 20))


def test_one_request_too_many_is_refused_and_the_application_does_not_see_it() -> None:
    async def run(server: Server, port: int) -> None:
        second = await Connection.open(port)
        before = durations()
        second.send(POST)
        status, headers, body = await second.receive()
        assert durations() == before
        assert status == 429
        assert headers["retry-after"] == "1"
        assert headers["content-type"] == "application/problem+json"
        assert headers["x-request-id"] == "one"
        assert json.loads(body)["type"] == "urn:sentinel:problem:overloaded"
        assert server.received == 1
        assert server.admission.refused == {"overload": 1, "rate": 0}
        second.send(request("POST", "/elsewhere", b"{}"))
        assert (await second.receive())[2] == b"below"
        second.close()

    while_one_is_in_flight(run)


def test_a_client_that_comes_again_at_once_is_answered_when_it_should_have_come() -> None:
    async def run(_: Server, port: int) -> None:
        hasty = await Connection.open(port)
        hasty.send(POST)
        await hasty.receive()
        begun_s = perf_counter()
        hasty.send(POST)
        assert (await hasty.receive())[0] == 429
        assert perf_counter() - begun_s > 0.4
        hasty.close()

    while_one_is_in_flight(run)


def test_a_hasty_client_is_admitted_at_once_when_there_is_room() -> None:
    async def run(server: Server, port: int) -> None:
        hasty = await Connection.open(port)
        hasty.send(POST)
        assert (await hasty.receive())[0] == 429
        begun_s = perf_counter()
        server.go.set()
        await asyncio.sleep(0.05)
        hasty.send(POST)
        assert (await hasty.receive())[0] == 200
        assert perf_counter() - begun_s < 0.4
        hasty.close()

    while_one_is_in_flight(run)


def test_requests_that_are_sent_at_once_are_refused_one_after_the_other() -> None:
    async def run(server: Server, port: int) -> None:
        second = await Connection.open(port)
        second.send(b"".join(request("POST", "/score", b"{}", X_Request_ID=i) for i in "abc"))
        replies = [await second.receive() for _ in "abc"]
        assert [(r[0], r[1]["x-request-id"]) for r in replies] == [(429, i) for i in "abc"]
        assert server.received == 1
        second.close()

    while_one_is_in_flight(run)


def test_a_client_that_leaves_while_its_refusal_is_held_is_forgotten() -> None:
    async def run(server: Server, port: int) -> None:
        hasty = await Connection.open(port)
        hasty.send(POST)
        await hasty.receive()
        hasty.send(POST)
        while not server.admission.held:
            await asyncio.sleep(0.001)
        hasty.close()
        while server.admission.held:
            await asyncio.sleep(0.001)

    while_one_is_in_flight(run)


def test_a_request_counts_when_it_is_received_whole() -> None:
    async def run(server: Server, port: int) -> None:
        server.go.set()
        while server.admission.in_flight:
            await asyncio.sleep(0.001)
        slow = await Connection.open(port)
        slow.send(POST[:-1])
        await asyncio.sleep(0.05)
        assert server.admission.in_flight == 0
        other = await Connection.open(port)
        other.send(POST)
        assert (await other.receive())[0] == 200
        slow.send(POST[-1:])
        assert (await slow.receive())[0] == 200
        for one in (slow, other):
            one.close()

    while_one_is_in_flight(run)


@pytest.mark.parametrize(
    "sent", [b"", b"POST /sco", POST[:-10], POST[:-1]], ids=["nothing", "line", "head", "body"]
)
def test_a_request_that_does_not_arrive_in_time_is_408_and_its_connection_ends(
    sent: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slow_requests, "ARRIVAL_S", 0.2)
    monkeypatch.setattr(slow_requests, "_STEP_S", 0.05)

    async def run(server: Server, port: int) -> None:
        slow = await Connection.open(port)
        slow.send(sent)
        status, headers, _ = await slow.receive()
        assert status == 408
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"
        identifier = headers["x-request-id"]
        assert identifier == "one" if sent == POST[:-1] else len(identifier) == 32
        assert await slow.is_closed()
        assert server.received == 1

    while_one_is_in_flight(run)


def test_a_connection_that_waits_for_its_next_request_or_its_reply_is_not_slow(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(slow_requests, "ARRIVAL_S", 0.1)
    monkeypatch.setattr(slow_requests, "_STEP_S", 0.02)

    async def run(_: Server, port: int) -> None:
        idle = await Connection.open(port)
        idle.send(request("POST", "/elsewhere", b"{}"))
        await idle.receive()
        await asyncio.sleep(0.3)
        idle.send(request("POST", "/elsewhere", b"{}"))
        assert (await idle.receive())[2] == b"below"
        idle.close()

    while_one_is_in_flight(run)


@pytest.mark.parametrize(
    "sent",
    [
        b"POST /score HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        request("POST", "/score", b"x" * (SMALL_BYTES + 1)),
        request("POST", "/score", b"{}", Connection="close"),
        request("POST", "/score", b"{}", Expect="100-continue"),
    ],
    ids=["chunked", "large", "last", "expect"],
)
def test_unusual_requests_are_refused_too(sent: bytes) -> None:
    async def run(server: Server, port: int) -> None:
        second = await Connection.open(port)
        second.send(sent)
        status, headers, body = await second.receive()
        assert (status, headers["retry-after"]) == (429, "1")
        assert headers["x-content-type-options"] == "nosniff"
        assert json.loads(body)["type"] == "urn:sentinel:problem:overloaded"
        assert server.received == 1
        second.close()

    while_one_is_in_flight(run)


UPGRADE = request("POST", "/score", b"{}", Connection="Upgrade", Upgrade="websocket")


def test_a_request_to_become_a_websocket_takes_no_room_for_good() -> None:
    async def run(server: Server, port: int) -> None:
        server.go.set()
        while server.admission.in_flight:
            await asyncio.sleep(0.001)
        for _ in range(3):
            upgrading = await Connection.open(port)
            upgrading.send(UPGRADE)
            assert (await upgrading.receive())[0] in {400, 403}
            upgrading.close()
        assert server.admission.in_flight == 0
        other = await Connection.open(port)
        other.send(POST)
        assert (await other.receive())[0] == 200
        other.close()

    while_one_is_in_flight(run)


def test_a_request_that_never_reaches_the_application_leaves_its_room(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def run(server: Server, port: int) -> None:
        server.go.set()
        while server.admission.in_flight:
            await asyncio.sleep(0.001)

        async def fail(*_: object) -> None:
            raise RuntimeError

        monkeypatch.setattr(FastPath, "__call__", fail)
        stopped = await Connection.open(port)
        stopped.send(POST)
        assert (await stopped.receive())[0] == 500
        await asyncio.sleep(0.01)
        assert server.admission.in_flight == 0
        monkeypatch.undo()

        monkeypatch.setattr(HttpToolsProtocol, "on_headers_complete", failing)
        broken = await Connection.open(port)
        broken.send(POST)
        assert (await broken.receive())[0] == 400
        assert server.admission.in_flight == 0
        monkeypatch.undo()
        for one in (stopped, broken):
            one.close()

    while_one_is_in_flight(run)


def failing(*_: object) -> None:
    raise RuntimeError


def test_a_connection_that_ends_before_its_request_is_started_leaves_its_room() -> None:
    async def run(server: Server, port: int) -> None:
        server.go.set()
        while server.admission.in_flight:
            await asyncio.sleep(0.001)
        gone = await Connection.open(port)
        gone.send(POST)
        gone.abort()
        await asyncio.sleep(0.05)
        assert server.admission.in_flight == 0

    while_one_is_in_flight(run)


def posted_by(caller: str) -> bytes:
    return request("POST", "/score", b"{}", Authorization=caller)


def test_another_caller_on_a_shared_connection_does_not_wait_for_the_hasty_one() -> None:
    async def run(_: Server, port: int) -> None:
        shared = await Connection.open(port)
        began_s = perf_counter()
        for caller in ("one", "other", "one"):
            shared.send(posted_by(caller))
            assert (await shared.receive())[0] == 429
        assert perf_counter() - began_s < 0.4
        shared.send(posted_by("one"))
        assert (await shared.receive())[0] == 429
        assert perf_counter() - began_s > 0.4
        shared.close()

    while_one_is_in_flight(run)


def test_a_refusal_for_a_rate_that_is_held_is_none_of_an_overload() -> None:
    async def run(server: Server, port: int) -> None:
        server.rates.follow(lambda _: TenantLimits(tenant=1))
        server.rates.take(a_principal(), hash(b"limited"))
        limited = await Connection.open(port)
        limited.send(posted_by("limited"))
        _, _, body = await limited.receive()
        assert json.loads(body)["type"] == "urn:sentinel:problem:rate-limited"
        assert server.admission.refused == {"overload": 0, "rate": 1}
        limited.send(posted_by("limited"))
        while not server.admission.held_for_rate:
            await asyncio.sleep(0.001)
        assert server.admission.held == 0
        limited.close()
        while server.admission.held_for_rate:
            await asyncio.sleep(0.001)
        assert server.admission.held == 0

    while_one_is_in_flight(run)


def a_principal() -> Principal:
    return Principal(1, "demo", "fraud-demo", "a", "a", frozenset({"score"}), None)


def test_a_socket_that_another_worker_has_shut_down_ends_no_drain() -> None:
    listening = socket.create_server(("127.0.0.1", 0))
    client = socket.create_connection(listening.getsockname())
    ending = uvicorn.Server(Config(FastPath, log_config=None))
    ending.servers = []
    with listening, client:
        (waiting,) = _close_listening(ending, [listening])
        waiting.close()
        assert _close_listening(ending, [listening]) == []
