"""A closed-loop HTTP load: each of n clients sends its next request when it has received a reply.

The requests are rendered beforehand, and only the head of a reply is parsed: the client shares two
cores with the system under test, and a full HTTP client takes more CPU a request than some of the
services. It reads only HTTP/1.1 replies with Content-Length.
"""

from __future__ import annotations

import asyncio
import itertools
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from time import perf_counter, process_time
from typing import Protocol, cast

import uvloop

PATIENCE_S = 120.0
"""Longest time of warm-up and last replies beyond the measured part, in seconds."""
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_HEAD_END = b"\r\n\r\n"


class LoadError(Exception):
    """The load failed: a reply was not 200, or no reply came; the message is a sentence."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The route that receives the load.

    Attributes:
        host: host of the service.
        port: port of the service.
        path: path of the route.
        headers: headers of every request.
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
    """The measurements of a load in its measured part, which begins and ends with a reply.

    Attributes:
        clients: number of concurrent connections.
        seconds: wall time of the measured part.
        latencies_ms: latency of each reply in it, unordered; at least one.
        service_cpu_ms: CPU time of the service a request.
        postgres_cpu_ms: CPU time of Postgres a request.
        client_cpu_ms: CPU time of the client a request.
    """

    clients: int
    seconds: float
    latencies_ms: Sequence[float]
    service_cpu_ms: float
    postgres_cpu_ms: float
    client_cpu_ms: float

    @property
    def requests_per_second(self) -> float:
        """Number of replies divided by the wall time."""
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
    """Send requests for `seconds` after a warm-up, and wait for the replies to all of them.

    The warm-up lasts until there are as many replies as clients: before that, the queue of requests
    is shorter than in the measured part.

    Args:
        endpoint: route that receives the requests.
        bodies: request bodies, which the clients send in turn.
        clients: number of concurrent connections, >= 1.
        seconds: length of the measured part, which has one reply at least.
        usage: function that is called at the beginning and end of the measured part.
        warm_up_s: shortest warm-up, seconds.

    Raises:
        LoadError: a reply was not 200, or no reply came in PATIENCE_S.
    """
    load = _Load([endpoint.request(body) for body in bodies], clients, seconds, usage, warm_up_s)
    return uvloop.run(load.run(endpoint.host, endpoint.port))


class _Load:
    """The state that all clients share: the current part of the load, and the measurements."""

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
        loop.set_exception_handler(lambda _, context: self.fail(f"The client failed: {context}."))
        self._open = self._clients
        self._start_s = perf_counter()
        connections = [
            await loop.create_connection(lambda: Connection(self), host, port)
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

    def connected(self, connection: Connection) -> None:
        """Send the first request of a client."""
        connection.send(perf_counter())

    def answered(self, connection: Connection, sent_s: float) -> None:
        """Record a reply, and send the client's next request unless the load ends."""
        if self._goes_on(sent_s):
            connection.send(perf_counter())

    def _goes_on(self, sent_s: float) -> bool:
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

    def fail(self, message: str) -> None:
        if not self._done.done():
            self._done.set_exception(LoadError(message))


class Load(Protocol):
    """What decides when a connection sends, and takes its replies."""

    @property
    def requests(self) -> Iterator[bytes]:
        """The bytes of the requests, in turn."""

    def connected(self, connection: Connection) -> None:
        """Take note of a new connection."""

    def answered(self, connection: Connection, since_s: float) -> None:
        """Take the reply to the request that was sent with a time."""

    def fail(self, message: str) -> None:
        """End with an error."""


class Connection(asyncio.Protocol):
    """One connection, with at most one request in flight."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._head = b""
        self._missing = 0
        self._waits = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Report the connection to its load."""
        # uvloop's transport has the interface of asyncio.Transport but is no subclass.
        self._transport = cast("asyncio.Transport", transport)
        self._load.connected(self)

    def data_received(self, data: bytes) -> None:
        """Take a part of a reply; report the reply once it is complete."""
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
                self._load.fail(f"The service replied {data[:400].decode(errors='replace')!r}.")
                return
            self._missing = end + len(_HEAD_END) + int(length[1]) - len(data)
        if not self._missing:
            self._waits = False
            self._load.answered(self, self._since_s)

    def connection_lost(self, exc: Exception | None) -> None:
        """End the load where a reply is still missing."""
        if self._waits:
            self._load.fail(f"The service closed the connection ({exc or 'no reason given'}).")

    def send(self, since_s: float) -> None:
        """Send the next request.

        Args:
            since_s: time at which its latency begins.
        """
        self._waits = True
        self._since_s = since_s
        self._transport.write(next(self._load.requests))
