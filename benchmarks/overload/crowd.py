"""A closed-loop load of clients of which some are refused.

Each client sends its next request when it has a reply, also when that is a 429: it ignores
Retry-After, as a client does that retries at once, so a cheap refusal brings the next request soon.
"""

from __future__ import annotations

import asyncio
import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from time import perf_counter
from typing import cast

import uvloop

from benchmarks.load.clients import Endpoint, LoadError

OPENING = 64
"""Connections that are opened at a time, so that none is refused by the kernel."""
_STATUS = slice(9, 12)
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_HEAD_END = b"\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Crowd:
    """Clients of one tenant.

    Attributes:
        endpoint: route that they call.
        clients: number of connections, each with one request in flight.
        pause_s: pause of a client between a reply and its next request.
    """

    endpoint: Endpoint
    clients: int
    pause_s: float = 0.0


@dataclass(slots=True)
class Answers:
    """What the clients of a crowd received in the measured part.

    Attributes:
        seconds: length of the measured part.
        latencies_ms: latency of each 200.
        refused_ms: latency of each 429.
        without_retry_after: 429s without the header Retry-After.
        other: other statuses, each as often as it came.
        closed: connections that the service closed.
    """

    seconds: float
    latencies_ms: list[float] = field(default_factory=list)
    refused_ms: list[float] = field(default_factory=list)
    without_retry_after: int = 0
    other: list[int] = field(default_factory=list)
    closed: int = 0

    @property
    def goodput(self) -> float:
        """Number of 200s a second."""
        return len(self.latencies_ms) / self.seconds

    def percentile_ms(self, percent: float) -> float:
        """Return a percentile of the latency of the 200s, nearest rank; infinity without any."""
        ordered = sorted(self.latencies_ms)
        if not ordered:
            return float("inf")
        return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


def run_crowds(
    crowds: Sequence[Crowd], bodies: Sequence[bytes], seconds: float, warm_up_s: float
) -> list[Answers]:
    """Let the crowds send requests at the same time; return what each received, in their order.

    Args:
        crowds: clients that share the service.
        bodies: request bodies, which the clients send in turn.
        seconds: length of the measured part.
        warm_up_s: time before it in which the clients send, too.

    Raises:
        LoadError: a connection could not be opened.
    """
    return uvloop.run(_run(crowds, bodies, seconds, warm_up_s))


async def _run(
    crowds: Sequence[Crowd], bodies: Sequence[bytes], seconds: float, warm_up_s: float
) -> list[Answers]:
    loop = asyncio.get_running_loop()
    found = [Answers(seconds) for _ in crowds]
    clients: list[_Client] = []
    for crowd, answers in zip(crowds, found, strict=True):
        requests = itertools.cycle([crowd.endpoint.request(body) for body in bodies])
        opened = [_Client(requests, answers, crowd.pause_s) for _ in range(crowd.clients)]
        for group in _groups(opened):
            await asyncio.gather(*(_open(loop, client, crowd.endpoint) for client in group))
        clients += opened
    for client in clients:
        client.send()
    await asyncio.sleep(warm_up_s)
    for answers in found:
        answers.latencies_ms.clear()
        answers.refused_ms.clear()
    begun_s = perf_counter()
    await asyncio.sleep(seconds)
    for answers in found:
        answers.seconds = perf_counter() - begun_s
    for client in clients:
        client.stop()
    return found


def _groups(clients: Sequence[_Client]) -> Iterator[Sequence[_Client]]:
    for start in range(0, len(clients), OPENING):
        yield clients[start : start + OPENING]


async def _open(loop: asyncio.AbstractEventLoop, client: _Client, endpoint: Endpoint) -> None:
    try:
        await loop.create_connection(lambda: client, endpoint.host, endpoint.port)
    except OSError as error:
        raise LoadError(f"A connection could not be opened: {error}.") from error


class _Client(asyncio.Protocol):
    """One connection, with one request in flight."""

    def __init__(self, requests: itertools.cycle[bytes], answers: Answers, pause_s: float) -> None:
        self._requests = requests
        self._answers = answers
        self._pause_s = pause_s
        self._head = b""
        self._missing = 0
        self._is_stopped = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transport has the interface of asyncio.Transport but is no subclass.
        self._transport = cast("asyncio.Transport", transport)

    def send(self) -> None:
        """Send the next request."""
        if self._is_stopped:
            return
        self._sent_s = perf_counter()
        self._transport.write(next(self._requests))

    def stop(self) -> None:
        """Close the connection; what is still received counts no more."""
        self._is_stopped = True
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        if self._is_stopped:
            return
        if self._missing:
            self._missing -= len(data)
        else:
            data = self._head + data
            end = data.find(_HEAD_END)
            if end < 0:
                self._head = data
                return
            self._head = b""
            self._status = int(data[_STATUS])
            self._is_explained = b"\r\nretry-after:" in data[:end].lower()
            length = _LENGTH.search(data, 0, end)
            self._missing = end + len(_HEAD_END) + int(length[1] if length else 0) - len(data)
        if not self._missing:
            self._count()
            if self._pause_s:
                asyncio.get_running_loop().call_later(self._pause_s, self.send)
            else:
                self.send()

    def connection_lost(self, _: Exception | None) -> None:
        if not self._is_stopped:
            self._answers.closed += 1

    def _count(self) -> None:
        took_ms = (perf_counter() - self._sent_s) * 1e3
        if self._status == HTTPStatus.OK:
            self._answers.latencies_ms.append(took_ms)
        elif self._status == HTTPStatus.TOO_MANY_REQUESTS:
            self._answers.refused_ms.append(took_ms)
            self._answers.without_retry_after += not self._is_explained
        else:
            self._answers.other.append(self._status)
