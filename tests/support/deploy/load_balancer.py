"""An HTTP/1.1 load balancer that probes pods and spreads requests over the ready ones.

It does what a Service with an ingress controller does, and nothing to hide a failure: no request is
sent twice, and one that gets no whole answer is a 502.
"""

from __future__ import annotations

import asyncio
import re
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Self

_LENGTH = re.compile(rb"(?i)\r\ncontent-length: *(\d+)")
_END = b"\r\n\r\n"
_IDLE_S = 2.0
"""Shorter than uvicorn's 5 s, as a proxy's has to be: else it sends into a closing connection."""

Line = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass(eq=False)
class Endpoint:
    """A pod's address.

    Attributes:
        port: of the loopback interface.
        failures: probes in a row that found it not ready.
        ready: whether the last probes found it ready.
        idle: connections that nobody uses, and when they became so.
    """

    port: int
    failures: int = 0
    ready: bool = False
    idle: list[tuple[Line, float]] = field(default_factory=list)


class Balancer:
    """Listens on a port of the loopback interface while its block runs.

    Args:
        probe: a readinessProbe as in a manifest.

    Attributes:
        answered: how many requests each port has answered.
        failed: what went wrong, a sentence a request.
        fewest: the smallest number of ready pods since the first two were.
    """

    def __init__(self, probe: dict[str, Any]) -> None:
        self._path: str = probe["httpGet"]["path"]
        self._period_s: float = probe["periodSeconds"]
        self._timeout_s: float = probe["timeoutSeconds"]
        self._failures: int = probe["failureThreshold"]
        self._endpoints: list[Endpoint] = []
        self._turn = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self.answered: Counter[int] = Counter()
        self.failed: list[str] = []
        self.fewest = 0

    def __enter__(self) -> Self:
        """Begin to listen."""
        self._thread.start()
        self._server = self._run(asyncio.start_server(self._client, "127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    def __exit__(self, *_: object) -> None:
        """Close everything."""
        self._run(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def add(self, port: int) -> None:
        """Probe a pod from now on, and send it requests while it is ready."""
        endpoint = Endpoint(port)
        self._endpoints.append(endpoint)
        asyncio.run_coroutine_threadsafe(self._probe(endpoint), self._loop)

    def remove(self, port: int) -> None:
        """Send a pod no more requests; those that it works on go on, connections stay open."""
        self._endpoints = [one for one in self._endpoints if one.port != port]
        self._note()

    def ready(self, port: int) -> bool:
        """Whether requests are sent to it."""
        return any(one.ready for one in self._endpoints if one.port == port)

    def _run(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _close(self) -> None:
        self._server.close()
        rest = asyncio.all_tasks() - {asyncio.current_task()}
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)

    def _note(self) -> None:
        now = sum(one.ready for one in self._endpoints)
        self.fewest = min(self.fewest, now) if self.fewest > 1 else now

    async def _probe(self, endpoint: Endpoint) -> None:
        request = f"GET {self._path} HTTP/1.1\r\nhost: pod\r\nconnection: close{_END.decode()}"
        while endpoint in self._endpoints:
            try:
                async with asyncio.timeout(self._timeout_s):
                    line = await asyncio.open_connection("127.0.0.1", endpoint.port)
                    answer = await self._ask(line, request.encode())
                    line[1].close()
                good = answer.split(b" ", 2)[1] == b"200"
            except (OSError, EOFError, TimeoutError):
                good = False
            endpoint.failures = 0 if good else endpoint.failures + 1
            if good or endpoint.failures >= self._failures:
                endpoint.ready = good
            self._note()
            await asyncio.sleep(self._period_s)

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                request = await _message(reader)
                writer.write(await self._answer(request))
                await writer.drain()
        except (OSError, EOFError):
            pass  # the client has gone
        finally:
            writer.close()

    async def _answer(self, request: bytes) -> bytes:
        ready = [one for one in self._endpoints if one.ready]
        if not ready:
            return self._failure("no pod is ready")
        self._turn += 1
        endpoint = ready[self._turn % len(ready)]
        try:
            line = await self._line(endpoint)
            answer = await self._ask(line, request)
        except (OSError, EOFError) as error:
            return self._failure(f"port {endpoint.port}: {error!r}")
        self.answered[endpoint.port] += 1
        if re.search(rb"(?i)\r\nconnection: *close", answer[: answer.index(_END)]):
            line[1].close()
        else:
            endpoint.idle.append((line, time.monotonic()))
        return answer

    def _failure(self, why: str) -> bytes:
        self.failed.append(why)
        return b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0" + _END

    @staticmethod
    async def _line(endpoint: Endpoint) -> Line:
        while endpoint.idle:
            line, since = endpoint.idle.pop()
            if not line[0].at_eof() and time.monotonic() - since < _IDLE_S:
                return line
            line[1].close()
        return await asyncio.open_connection("127.0.0.1", endpoint.port)

    @staticmethod
    async def _ask(line: Line, request: bytes) -> bytes:
        line[1].write(request)
        await line[1].drain()
        return await _message(line[0])


async def _message(reader: asyncio.StreamReader) -> bytes:
    """Read a request or a response; both say how long they are, or have no body."""
    head = await reader.readuntil(_END)
    length = _LENGTH.search(head)
    return head + await reader.readexactly(int(length[1]) if length else 0)
