"""Every error reply is an RFC 9457 problem, whatever the server below sends."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import pytest

from web.problems import MEDIA_TYPE, ProblemBackstop

Message = dict[str, Any]
App = Callable[[Any, Any, Callable[[Message], Awaitable[None]]], Awaitable[None]]


def start(status: int, **headers: str) -> Message:
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    return {"type": "http.response.start", "status": status, "headers": raw}


def run(app: App) -> list[Message]:
    sent: list[Message] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def call() -> None:
        await ProblemBackstop(app)({"type": "http", "path": "/x"}, None, send)  # type: ignore[arg-type]

    anyio.run(call)
    return sent


def says(*messages: Message, then: Exception | None = None) -> App:
    async def app(_scope: Any, _receive: Any, send: Callable[[Message], Awaitable[None]]) -> None:
        for message in messages:
            await send(message)
        if then:
            raise then

    return app


def body(text: bytes, *, more: bool = False) -> Message:
    return {"type": "http.response.body", "body": text, "more_body": more}


@pytest.mark.parametrize("status", [404, 405, 429, 500, 504])
def test_an_error_of_the_server_below_is_rewritten_as_a_problem(status: int) -> None:
    sent = run(says(start(status, **{"content-type": "text/plain", "allow": "GET"}), body(b"no")))
    headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    assert (sent[0]["status"], headers["content-type"]) == (status, MEDIA_TYPE)
    assert headers["allow"] == "GET"
    assert json.loads(sent[1]["body"])["status"] == status
    assert len(sent) == 2


def test_a_problem_and_a_successful_reply_pass_unchanged() -> None:
    for kind in (start(422, **{"content-type": MEDIA_TYPE}), start(200)):
        messages = [kind, body(b"{}")]
        assert run(says(*messages)) == messages


@pytest.mark.parametrize("answer", [(), (start(500), body(b"Internal Server Error"))])
def test_an_exception_becomes_a_problem_without_its_details(answer: Any) -> None:
    sent = run(says(*answer, then=RuntimeError("a detail")))
    assert sent[0]["status"] == 500
    assert "a detail" not in sent[1]["body"].decode()


def test_a_body_that_fails_midway_raises_instead_of_ending() -> None:
    with pytest.raises(RuntimeError):
        run(says(start(200), body(b"id,amount", more=True), then=RuntimeError("Postgres left")))
