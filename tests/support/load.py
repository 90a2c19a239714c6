"""The load generator: a burst of requests, or clients that score until a block ends."""

from __future__ import annotations

import asyncio
import re
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import urlsplit

import httpx
import orjson

from tests.support.factories import a_body

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


@dataclass(frozen=True)
class Reply:
    """The answer to one request.

    Attributes:
        status: its HTTP status; 0 where the connection failed.
        text: its body.
        url: the service's address.
        begun_s: the time at which the request was sent, as `time.monotonic` has it.
    """

    status: int
    text: bytes
    url: str = ""
    begun_s: float = 0.0

    def json(self) -> Any:
        """Return the body as JSON."""
        return orjson.loads(self.text)


def request(method: str, path: str, body: bytes = b"", **headers: str) -> bytes:
    """Return the bytes of a request; `_` in a header's name stands for `-`."""
    head = [f"{method} {path} HTTP/1.1", "Host: sentinel", f"Content-Length: {len(body)}"]
    head += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*head, "", ""]).encode() + body


def score_request(body: Any, key: str, path: str = "/score", **headers: str) -> bytes:
    """Return the bytes of a request that scores with an API key."""
    return request(
        "POST",
        path,
        orjson.dumps(body),
        Authorization=f"Bearer {key}",
        Content_Type="application/json",
        **headers,
    )


def exchange(url: str, requests: Sequence[bytes], clients: int = 16) -> list[Reply]:
    """Send each request once, `clients` at a time; return the replies in the order of the requests.

    Few connections and plain bytes: a full HTTP client would take ten times the CPU.
    """
    place = urlsplit(url)
    waiting = iter(enumerate(requests))
    replies: dict[int, Reply] = {}

    async def client() -> None:
        reader, writer = await asyncio.open_connection(place.hostname, place.port)
        for number, sent in waiting:
            writer.write(sent)
            head = await reader.readuntil(b"\r\n\r\n")
            length = _LENGTH.search(head)
            text = await reader.readexactly(int(length[1])) if length else b""
            replies[number] = Reply(int(head.split(b" ", 2)[1]), text)
        writer.close()

    async def all_of_them() -> None:
        await asyncio.gather(*(client() for _ in range(clients)))

    asyncio.run(asyncio.wait_for(all_of_them(), 120))
    return [replies[number] for number in range(len(requests))]


def send(url: str, requests: Sequence[bytes], clients: int = 16) -> list[int]:
    """Send each request once, `clients` at a time; return the statuses."""
    return [reply.status for reply in exchange(url, requests, clients)]


class Load:
    """Clients that score without pause while the block runs, spread evenly over the services.

    Attributes:
        replies: what was answered so far.
    """

    def __init__(
        self,
        key: str,
        urls: Iterable[str],
        *,
        clients: int = 16,
        body: Callable[[], dict[str, Any]] = a_body,
        keep_alive: bool = True,
        pause_s: float = 0.0,
    ) -> None:
        """Name the services; nothing is sent yet.

        Args:
            key: API key with the scope `score`.
            urls: addresses of the services.
            clients: number of threads, each with a connection of its own.
            body: factory of the transactions.
            keep_alive: whether a connection serves more than one request.
            pause_s: pause of a client between two requests; leaves the CPU to what else runs.
        """
        self.replies: list[Reply] = []
        self._headers = {"Authorization": f"Bearer {key}"}
        self._urls = list(urls)
        self._clients = clients
        self._body = body
        self._limits = httpx.Limits(max_keepalive_connections=None if keep_alive else 0)
        self._pause_s = pause_s
        self._stop = threading.Event()
        self._running: list[Future[None]] = []

    @property
    def succeeded(self) -> list[Reply]:
        """The replies with status 200."""
        return [reply for reply in list(self.replies) if reply.status == 200]

    def wait_for(self, more: int, seconds: float = 60) -> None:
        """Wait until so many more requests have succeeded."""
        goal, deadline = len(self.succeeded) + more, time.monotonic() + seconds
        while len(self.succeeded) < goal:
            assert time.monotonic() < deadline, self.replies[-1:]
            time.sleep(0.05)

    def _client(self, url: str) -> None:
        with httpx.Client(
            base_url=url, headers=self._headers, limits=self._limits, timeout=30, trust_env=False
        ) as http:
            while not self._stop.wait(self._pause_s):
                begun_s = time.monotonic()
                try:
                    response = http.post("/score", json=self._body())
                    reply = Reply(response.status_code, response.content, url, begun_s)
                except httpx.TransportError as error:
                    reply = Reply(0, repr(error).encode(), url, begun_s)
                    time.sleep(0.1)
                self.replies.append(reply)

    def __enter__(self) -> Self:
        """Begin to score."""
        self._pool = ThreadPoolExecutor(self._clients)
        for number in range(self._clients):
            url = self._urls[number % len(self._urls)]
            self._running.append(self._pool.submit(self._client, url))
        return self

    def __exit__(self, *_: object) -> None:
        """Stop, wait for the last replies, and raise what a client failed with."""
        self._stop.set()
        self._pool.shutdown()
        for client in self._running:
            client.result()
