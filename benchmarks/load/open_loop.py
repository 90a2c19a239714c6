"""An open-loop HTTP load: requests are due at times that no reply delays.

In a closed loop a service that stalls is sent nothing meanwhile, so one slow reply stands for all
that would have waited ("coordinated omission", G. Tene). Here, as in wrk2
(https://github.com/giltene/wrk2), a latency begins when the request is due: a wait for a free
connection, and a client that sends late, are in it. The times are those of a Poisson process, as
of payers that do not know of each other, with one seed: each system gets the same.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from time import perf_counter, process_time

import uvloop

from benchmarks.load.clients import (
    PATIENCE_S,
    Connection,
    Endpoint,
    LoadError,
    LoadResult,
    Usage,
)

CONNECTIONS = 64
"""Connections of the client; a request that is due while all wait for replies waits too."""
_SEED = 1


def run_open_load(
    endpoint: Endpoint,
    bodies: Sequence[bytes],
    rate: float,
    seconds: float,
    usage: Callable[[], Usage],
    warm_up_s: float,
    connections: int = CONNECTIONS,
) -> LoadResult:
    """Send requests at a rate for a warm-up and `seconds`, and wait for all replies.

    Args:
        endpoint: route that receives the requests.
        bodies: request bodies, which are sent in turn.
        rate: mean number of requests a second.
        seconds: length of the measured part, in which at least one request is due.
        usage: function that is called before the warm-up and after the last reply.
        warm_up_s: length of the warm-up, seconds.
        connections: number of connections, >= 1.

    Returns:
        The latencies of the requests that were due in the measured part, each from the time at
        which it was due; `seconds` lasts until their last reply. The CPU is that of the warm-up
        too, a request: reading it in between would delay what is due.

    Raises:
        LoadError: a reply was not 200, or one did not come in PATIENCE_S.
    """
    due_s = due_times(rate, warm_up_s + seconds)
    if not due_s or due_s[-1] < warm_up_s:
        raise LoadError(f"At {rate:g} requests a second none is due in {seconds:g} s.")
    requests = [endpoint.request(body) for body in bodies]
    load = _OpenLoad(requests, due_s, warm_up_s, usage, connections)
    return uvloop.run(load.run(endpoint.host, endpoint.port))


def due_times(rate: float, seconds: float) -> list[float]:
    """Return the times of a Poisson process with a mean rate until a time, in seconds from 0."""
    chance = random.Random(_SEED)  # noqa: S311 - the same arrivals for every system
    times: list[float] = []
    at_s = chance.expovariate(rate)
    while at_s < seconds:
        times.append(at_s)
        at_s += chance.expovariate(rate)
    return times


class _OpenLoad:
    """The schedule, the connections that wait for a request, and the measurements."""

    def __init__(
        self,
        requests: Sequence[bytes],
        due_s: Sequence[float],
        warm_up_s: float,
        usage: Callable[[], Usage],
        connections: int,
    ) -> None:
        self.requests = itertools.cycle(requests)
        self._due_s = due_s
        self._warm_up_s = warm_up_s
        self._read_usage = usage
        self._connections = connections
        self._free: deque[Connection] = deque()
        self._waiting: deque[float] = deque()
        self._latencies_ms: list[float] = []
        self._missing = len(due_s)
        self._stopping = threading.Event()

    async def run(self, host: str, port: int) -> LoadResult:
        self._loop = loop = asyncio.get_running_loop()
        self._done: asyncio.Future[None] = loop.create_future()
        loop.set_exception_handler(lambda _, context: self.fail(f"The client failed: {context}."))
        opened = [
            await loop.create_connection(lambda: Connection(self), host, port)
            for _ in range(self._connections)
        ]
        # A thread, since the timers of the event loop are a millisecond apart.
        pacer = threading.Thread(target=self._pace, daemon=True)
        before, client_before_s = self._read_usage(), process_time()
        self._start_s = perf_counter()
        pacer.start()
        try:
            await asyncio.wait_for(self._done, self._due_s[-1] + PATIENCE_S)
        except TimeoutError:
            raise LoadError(
                f"{self._missing} requests had no reply after {PATIENCE_S:.0f} s."
            ) from None
        finally:
            self._stopping.set()
            for transport, _ in opened:
                transport.close()
        end_s, after, client_after_s = perf_counter(), self._read_usage(), process_time()
        each_ms = 1e3 / len(self._due_s)
        return LoadResult(
            clients=self._connections,
            seconds=end_s - self._start_s - self._warm_up_s,
            latencies_ms=self._latencies_ms,
            service_cpu_ms=(after.service_s - before.service_s) * each_ms,
            postgres_cpu_ms=(after.postgres_s - before.postgres_s) * each_ms,
            client_cpu_ms=(client_after_s - client_before_s) * each_ms,
        )

    def connected(self, connection: Connection) -> None:
        """Take note of a connection that may send."""
        self._free.append(connection)

    def answered(self, connection: Connection, since_s: float) -> None:
        """Record a reply; send the request on the connection that has been due longest."""
        if since_s >= self._start_s + self._warm_up_s:
            self._latencies_ms.append((perf_counter() - since_s) * 1e3)
        self._missing -= 1
        if self._waiting:
            connection.send(self._waiting.popleft())
        else:
            self._free.append(connection)
        if not self._missing and not self._done.done():
            self._done.set_result(None)

    def fail(self, message: str) -> None:
        """End the load with an error."""
        if not self._done.done():
            self._done.set_exception(LoadError(message))

    def _pace(self) -> None:
        for due_s in self._due_s:
            at_s = self._start_s + due_s
            if (left_s := at_s - perf_counter()) > 0:
                time.sleep(left_s)
            if self._stopping.is_set():
                return
            self._loop.call_soon_threadsafe(self._is_due, at_s)

    def _is_due(self, at_s: float) -> None:
        if self._free:
            self._free.popleft().send(at_s)
        else:
            self._waiting.append(at_s)
