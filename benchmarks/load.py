"""A closed-loop HTTP load: n clients, each sending its next request when the last is answered.

Written on raw asyncio streams, since a full HTTP client takes more CPU a request than the service
under test and would be what is measured. It reads HTTP/1.1 replies with Content-Length only.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from time import perf_counter

import uvloop


class LoadError(Exception):
    """A reply was not 200; the message holds its beginning."""


@dataclass(frozen=True, slots=True)
class Target:
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
class LoadResult:
    """What n clients saw.

    Attributes:
        clients: concurrent connections.
        seconds: wall time of the measured part.
        latencies_ms: one per request answered in that part, unordered.
        answered: requests answered in all, the warm-up's too.
    """

    clients: int
    seconds: float
    latencies_ms: Sequence[float]
    answered: int

    @property
    def requests_per_second(self) -> float:
        """Answered requests over wall time."""
        return len(self.latencies_ms) / self.seconds

    def percentile_ms(self, percent: float) -> float:
        """Return a latency percentile, nearest rank."""
        ordered = sorted(self.latencies_ms)
        return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


def run_load(target: Target, bodies: Sequence[bytes], clients: int, seconds: float) -> LoadResult:
    """Drive the target for about `seconds` after a warm-up of a fifth of that.

    Args:
        target: the route. bodies: sent in turn, shared by the clients.
        clients: concurrent connections, >= 1. seconds: length of the measured part.

    Raises:
        LoadError: a reply was not 200.
    """
    requests = [target.request(body) for body in bodies]
    return uvloop.run(_run(target, itertools.cycle(requests), clients, seconds))


async def _run(
    target: Target, requests: Iterator[bytes], clients: int, seconds: float
) -> LoadResult:
    latencies_ms: list[float] = []
    begin = perf_counter() + seconds / 5
    end = begin + seconds
    answered = await asyncio.gather(
        *(_client(target, requests, begin, end, latencies_ms) for _ in range(clients))
    )
    return LoadResult(clients, perf_counter() - begin, latencies_ms, sum(answered))


async def _client(
    target: Target, requests: Iterator[bytes], begin: float, end: float, latencies_ms: list[float]
) -> int:
    answered = 0
    reader, writer = await asyncio.open_connection(target.host, target.port)
    try:
        while (sent := perf_counter()) < end:
            writer.write(next(requests))
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
            body = await reader.readexactly(length)
            if not head.startswith(b"HTTP/1.1 200"):
                raise LoadError((head.split(b"\r\n")[0] + b" " + body[:300]).decode())
            answered += 1
            if sent >= begin:
                latencies_ms.append((perf_counter() - sent) * 1e3)
    finally:
        writer.close()
    return answered
