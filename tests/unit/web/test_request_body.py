"""A reply is sent before its body is received, which is then dropped within bounds."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from web import request_body
from web.request_body import RequestBody

START = {"type": "http.response.start", "status": 413, "headers": [(b"a", b"b")]}
END = {"type": "http.response.body", "body": b"too large"}
CLOSE = (b"connection", b"close")


class Client:
    """A client that has sent these parts of its body, and then waits."""

    def __init__(self, *parts: bytes, ends: bool = True, **headers: str) -> None:
        self.parts = list(parts)
        self.ends = ends
        self.sent: list[Any] = []
        named = [
            (name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()
        ]
        self.body = RequestBody({"type": "http", "headers": named}, self.receive, self.send)

    async def receive(self) -> Any:
        if not self.parts:
            await anyio.sleep_forever()
        part = self.parts.pop(0)
        more = bool(self.parts) or not self.ends
        return {"type": "http.request", "body": part, "more_body": more}

    async def send(self, message: Any) -> None:
        self.sent.append((message, len(self.parts)))

    async def reply(self) -> None:
        await self.body.send(START)
        await self.body.send(END)
        await self.body.finish()

    def replied(self) -> list[Any]:
        anyio.run(self.reply)
        return [message for message, _ in self.sent]


def test_a_large_body_is_dropped_after_the_reply_and_before_its_end() -> None:
    client = Client(*[b"x" * 50_000] * 9, content_length="450000")
    start, body, end = client.replied()
    assert start["headers"] == [(b"a", b"b"), CLOSE]
    assert body == END | {"more_body": True}
    assert end == {"type": "http.response.body", "body": b""}
    assert [left for _, left in client.sent] == [9, 9, 0]


def test_a_small_body_is_received_first_so_that_the_connection_stays_open() -> None:
    client = Client(b"x" * 10, b"y" * 10, content_length="20")
    assert client.replied() == [START, END]
    assert client.parts == []


@pytest.mark.parametrize("headers", [{}, {"content_length": "0"}])
def test_a_request_without_a_body_is_not_waited_for(headers: dict[str, str]) -> None:
    assert Client(**headers).replied() == [START, END]


@pytest.mark.parametrize(
    "headers",
    [
        {"content_length": "20", "expect": "100-continue"},
        {"transfer_encoding": "chunked"},
        {"content_length": "20"},
    ],
)
def test_a_body_that_does_not_come_is_not_waited_for_before_the_reply(
    headers: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(request_body, "MAX_DROP_S", 0.05)
    start, *_ = Client(**headers).replied()
    assert CLOSE in start["headers"]


def test_a_client_that_waits_for_a_100_gets_none() -> None:
    client = Client(b"x", content_length="1", expect="100-continue")

    async def start() -> None:
        await client.body.send(START)

    anyio.run(start)
    assert client.parts == [b"x"], "to receive would send a 100 (Continue)"


def test_a_body_over_the_bound_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_body, "MAX_DROPPED_BYTES", 100)
    client = Client(*[b"x" * 60] * 9, content_length="70000")
    assert len(client.replied()) == 3
    assert len(client.parts) == 7


def test_a_received_body_changes_nothing() -> None:
    client = Client(b"x", content_length="70000")

    async def received() -> None:
        assert (await client.body.receive())["body"] == b"x"
        await client.reply()

    anyio.run(received)
    assert [message for message, _ in client.sent] == [START, END]
