"""Every error reply is an RFC 9457 problem, whatever the server below sends."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import pytest
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from scoring.errors import (
    FieldError,
    InvalidRequest,
    Overloaded,
    RateLimited,
    SchemaMissing,
    StoreUnavailable,
    Unauthenticated,
)
from web.problems import MEDIA_TYPE, ProblemBackstop, problem_response

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


@pytest.mark.parametrize(
    ("allow", "methods"),
    [
        ("POST", "POST"),
        ("HEAD, GET", "GET and HEAD"),
        ("PUT, GET, HEAD, DELETE", "DELETE, GET, HEAD and PUT"),
    ],
)
def test_the_detail_of_a_405_names_the_methods_that_are_allowed(allow: str, methods: str) -> None:
    detail = f"The route does not take this method; it takes {methods}."
    error = HTTPException(405, headers={"Allow": allow})
    assert json.loads(problem_response(error).body)["detail"] == detail
    sent = run(says(start(405, allow=allow), body(b"Method Not Allowed")))
    assert json.loads(sent[1]["body"])["detail"] == detail


@pytest.mark.parametrize("answer", [(), (start(500), body(b"Internal Server Error"))])
def test_an_exception_becomes_a_problem_without_its_details(answer: Any) -> None:
    sent = run(says(*answer, then=RuntimeError("a detail")))
    assert sent[0]["status"] == 500
    assert "a detail" not in sent[1]["body"].decode()


def test_a_body_that_fails_midway_raises_instead_of_ending() -> None:
    with pytest.raises(RuntimeError):
        run(says(start(200), body(b"id,amount", more=True), then=RuntimeError("Postgres left")))


@pytest.mark.parametrize(
    ("error", "status", "code", "headers"),
    [
        (Unauthenticated("No key."), 401, "unauthenticated", {"www-authenticate": "Bearer"}),
        (Overloaded("Later."), 429, "overloaded", {"retry-after": "1"}),
        (StoreUnavailable("Away."), 503, "store-unavailable", {"retry-after": "1"}),
        (HTTPException(404), 404, "not-found", {}),
        (
            HTTPException(405, headers={"Allow": "POST"}),
            405,
            "method-not-allowed",
            {"allow": "POST"},
        ),
        (HTTPException(429), 429, "overloaded", {"retry-after": "1"}),
        (HTTPException(503), 503, "internal", {"retry-after": "1"}),
        (HTTPException(504), 504, "too-slow", {}),
        (HTTPException(502), 502, "internal", {}),
        (RuntimeError("a detail"), 500, "internal", {}),
    ],
)
def test_an_error_has_its_status_its_code_and_its_headers(
    error: Exception, status: int, code: str, headers: dict[str, str]
) -> None:
    reply = problem_response(error)
    assert (reply.status_code, reply.media_type) == (status, MEDIA_TYPE)
    document = json.loads(reply.body)
    assert document["type"] == f"urn:sentinel:problem:{code}"
    assert document["status"] == status
    assert "a detail" not in document["detail"]
    sent = {name: value for name, value in reply.headers.items() if not name.startswith("content")}
    assert sent == headers


def test_fields_are_named_by_us_and_by_fastapi_alike() -> None:
    ours = InvalidRequest("Not valid: limit.", errors=(FieldError("limit", "is too large"),))
    finding = {"loc": ("query", "limit"), "msg": "is too large", "type": "x", "input": "secret"}
    another_branch = {**finding, "msg": "is no null"}
    theirs = RequestValidationError([finding, another_branch])
    assert problem_response(theirs).body == problem_response(ours).body


def test_a_database_without_the_schema_names_the_command_that_helps() -> None:
    assert json.loads(problem_response(SchemaMissing()).body)["detail"] == (
        "The database lacks this release's schema; run `sentinel db upgrade`."
    )


def test_a_reached_limit_is_named_in_the_headers_of_the_problem() -> None:
    limit = {"Retry-After": "7", "RateLimit": '"key";r=0;t=7'}
    response = problem_response(RateLimited("Too many.", headers=limit))
    assert response.status_code == 429
    assert response.headers["retry-after"] == "7"
    assert response.headers["ratelimit"] == '"key";r=0;t=7'
    assert json.loads(response.body)["type"] == "urn:sentinel:problem:rate-limited"
