"""A closed-loop HTTP load: n clients, each sending its next request when the last is answered.

Requests are bytes made beforehand, and of a reply only its head is looked at: the client shares two
cores with what it measures, and a full HTTP client takes more CPU a request than some of the
services. It reads HTTP/1.1 replies with Content-Length only.
"""

from __future__ import annotations

import asyncio
import itertools
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter, process_time
from typing import cast

import uvloop

PATIENCE_S = 120.0
"""How long a load may go on beyond its measured part, warm-up and last replies together."""
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_HEAD_END = b"\r\n\r\n"


class LoadError(Exception):
    """The load cannot go on: a reply was not 200, or none came; the message is a sentence."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where the load goes.

    Attributes:
        host, port, path: the route.
        headers: sent with every request.
    """

    host: str
    port: int
    path: str
    headers: dict[str, str]

    def request(self, body: bytes) -> bytes:
        """Return the bytes of one POST request."""
        head = [f"POST {self.path} HTTP/1.1", f"Host: {self.host}:{self.port}"]
        head += [f"{name}: {value}" for name, value in self.headers.items()]
        head += ["Content-Type: application/json", f"Content-Length: {len(body)}", "", ""]
        return "\r\n".join(head).encode() + body


@dataclass(frozen=True, slots=True)
class Usage:
    """CPU seconds that the service and Postgres have used so far."""

    service_s: float
    postgres_s: float


@dataclass(frozen=True, slots=True)
class LoadResult:
    """What n clients saw in the measured part, which begins and ends with a reply.

    Attributes:
        clients: concurrent connections.
        seconds: its wall time.
        latencies_ms: one per reply in it, unordered; at least one.
        service_cpu_ms, postgres_cpu_ms, client_cpu_ms: a request.
    """

    clients: int
    seconds: float
    latencies_ms: Sequence[float]
    service_cpu_ms: float
    postgres_cpu_ms: float
    client_cpu_ms: float

    @property
    def requests_per_second(self) -> float:
        """Replies over wall time."""
        return len(self.latencies_ms) / self.seconds

    def percentile_ms(self, percent: float) -> float:
        """Return a latency percentile, nearest rank."""
        ordered = sorted(self.latencies_ms)
        return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


def run_load(
    endpoint: Endpoint,
    bodies: Sequence[bytes],
    clients: int,
    seconds: float,
    usage: Callable[[], Usage],
    warm_up_s: float,
) -> LoadResult:
    """Drive the endpoint for `seconds` after a warm-up, and until it has answered all it was sent.

    The warm-up goes on until as many replies as there are clients have come: before, the queue is
    shorter than it will be.

    Args:
        endpoint: the route. bodies: sent in turn, shared by the clients.
        clients: concurrent connections, >= 1.
        seconds: of the measured part; it has one reply at least.
        usage: read at its begin and its end.
        warm_up_s: at least.

    Raises:
        LoadError: a reply was not 200, or replies stayed away for too long.
    """
    load = _Load([endpoint.request(body) for body in bodies], clients, seconds, usage, warm_up_s)
    return uvloop.run(load.run(endpoint.host, endpoint.port))


class _Load:
    """The state that all clients share: which part it is, and what was measured."""

    def __init__(
        self,
        requests: Sequence[bytes],
        clients: int,
        seconds: float,
        usage: Callable[[], Usage],
        warm_up_s: float,
    ) -> None:
        self.requests = itertools.cycle(requests)
        self._clients = clients
        self._seconds = seconds
        self._warm_up_s = warm_up_s
        self._read_usage = usage
        self._latencies_ms: list[float] = []
        self._answered = 0
        self._begin_s = self._end_s = 0.0
        self._usages: list[tuple[Usage, float]] = []

    async def run(self, host: str, port: int) -> LoadResult:
        loop = asyncio.get_running_loop()
        self._done: asyncio.Future[None] = loop.create_future()
        loop.set_exception_handler(lambda _, what: self.fail(f"The client failed: {what}."))
        self._open = self._clients
        self._start_s = perf_counter()
        connections = [
            await loop.create_connection(lambda: _Client(self), host, port)
            for _ in range(self._clients)
        ]
        try:
            await asyncio.wait_for(self._done, self._seconds + self._warm_up_s + PATIENCE_S)
        except TimeoutError:
            raise LoadError(
                f"{self._open} of {self._clients} clients had no reply after {PATIENCE_S:.0f} s."
            ) from None
        finally:
            for transport, _ in connections:
                transport.close()
        (before, client_before_s), (after, client_after_s) = self._usages
        each_ms = 1e3 / len(self._latencies_ms)
        return LoadResult(
            clients=self._clients,
            seconds=self._end_s - self._begin_s,
            latencies_ms=self._latencies_ms,
            service_cpu_ms=(after.service_s - before.service_s) * each_ms,
            postgres_cpu_ms=(after.postgres_s - before.postgres_s) * each_ms,
            client_cpu_ms=(client_after_s - client_before_s) * each_ms,
        )

    def answered(self, sent_s: float) -> bool:
        """Note a reply; say whether its client goes on."""
        now_s = perf_counter()
        self._answered += 1
        if not self._begin_s:
            warmed = now_s - self._start_s >= self._warm_up_s
            if warmed and self._answered >= self._clients:
                self._begin_s = now_s
                self._usages.append((self._read_usage(), process_time()))
        elif not self._end_s:
            self._latencies_ms.append((now_s - sent_s) * 1e3)
            if now_s - self._begin_s >= self._seconds:
                self._end_s = now_s
                self._usages.append((self._read_usage(), process_time()))
        if not self._end_s:
            return True
        self._open -= 1
        if not self._open and not self._done.done():
            self._done.set_result(None)
        return False

    def fail(self, why: str) -> None:
        if not self._done.done():
            self._done.set_exception(LoadError(why))


class _Client(asyncio.Protocol):
    """One connection, with at most one request on its way."""

    def __init__(self, load: _Load) -> None:
        self._load = load
        self._head = b""
        self._missing = 0
        self._waits = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's is one in all but name.
        self._transport = cast("asyncio.Transport", transport)
        self._send()

    def data_received(self, data: bytes) -> None:
        if self._missing:
            self._missing -= len(data)
        else:
            data = self._head + data
            end = data.find(_HEAD_END)
            if end < 0:
                self._head = data
                return
            self._head = b""
            length = _LENGTH.search(data, 0, end)
            if length is None or not data.startswith(b"HTTP/1.1 200"):
                self._load.fail(f"It answered {data[:400].decode(errors='replace')!r}.")
                return
            self._missing = end + len(_HEAD_END) + int(length[1]) - len(data)
        if not self._missing:
            self._waits = False
            if self._load.answered(self._sent_s):
                self._send()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._waits:
            self._load.fail(f"It closed the connection ({exc or 'no reason given'}).")

    def _send(self) -> None:
        self._waits = True
        self._sent_s = perf_counter()
        self._transport.write(next(self._load.requests))
