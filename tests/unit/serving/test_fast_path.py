"""The fast path answers POST to its routes within limits and passes all else on."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import pytest
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from observability.tracing import Traces
from scoring.errors import Overloaded, StoreUnavailable
from serving.admission import Admission
from serving.fast_path import CLIENT_CLOSED_REQUEST, FastPath
from web.problems import MEDIA_TYPE
from web.request_metrics import REQUESTS

Api = Callable[[Request], Awaitable[Response]]


async def below(_scope: Any, _receive: Any, send: Any) -> None:
    await Response("below")(_scope, _receive, send)


def a_fast_path(api: Api, *, timeout_s: float = 5, max_in_flight: int = 2) -> FastPath:
    return FastPath(below, {"/api": api}, Traces(), timeout_s, Admission(max_in_flight))


async def call(
    fast_path: FastPath, path: str = "/api", method: str = "POST"
) -> tuple[int, Any, bytes]:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "path": path, "method": method, "headers": [], "query_string": b""}
    await fast_path({**scope, "server": ("here", 80)}, None, send)  # type: ignore[arg-type]
    headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], headers, sent[1]["body"]


async def answers(_request: Request) -> Response:
    return Response("answered")


def raises(error: Exception) -> Api:
    async def api(_request: Request) -> Response:
        raise error

    return api


def test_a_post_to_an_apis_path_is_answered_by_the_api() -> None:
    assert anyio.run(call, a_fast_path(answers))[2] == b"answered"


@pytest.mark.parametrize("path", ["/", "/api/", "/API", "/apis"])
def test_every_other_path_goes_to_the_application_below(path: str) -> None:
    assert anyio.run(call, a_fast_path(answers), path)[2] == b"below"


def test_another_method_is_405_with_the_allowed_one() -> None:
    status, headers, _ = anyio.run(call, a_fast_path(answers), "/api", "GET")
    assert (status, headers["allow"], headers["content-type"]) == (405, "POST", MEDIA_TYPE)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (Overloaded("Full."), 429),
        (StoreUnavailable("Away."), 503),
        (RuntimeError("a secret"), 500),
        (ClientDisconnect(), CLIENT_CLOSED_REQUEST),
    ],
)
def test_an_error_of_the_api_is_answered_with_its_status(error: Exception, status: int) -> None:
    replied, _, body = anyio.run(call, a_fast_path(raises(error)))
    assert replied == status
    assert b"secret" not in body


def test_a_request_over_its_time_is_504_also_when_it_then_fails() -> None:
    async def sleeps(_request: Request) -> Response:
        await anyio.sleep(10)
        raise AssertionError

    async def ends_in_an_error(_request: Request) -> Response:
        try:
            await anyio.sleep(10)
        finally:
            raise Overloaded("Full.")

    for api in (sleeps, ends_in_an_error):
        status, headers, body = anyio.run(call, a_fast_path(api, timeout_s=0.01))
        assert (status, headers["content-type"]) == (504, MEDIA_TYPE)
        assert "external_id" in json.loads(body)["detail"]


def test_a_request_over_the_limit_is_429_until_another_ends() -> None:
    async def run() -> None:
        go = anyio.Event()
        statuses: list[int] = []

        async def waits(_request: Request) -> Response:
            await go.wait()
            return Response()

        fast_path = a_fast_path(waits, max_in_flight=2)

        async def request() -> None:
            statuses.append((await call(fast_path))[0])

        async with anyio.create_task_group() as group:
            for _ in range(3):
                group.start_soon(request)
            await anyio.wait_all_tasks_blocked()
            assert statuses == [429]
            go.set()
        assert sorted(statuses) == [200, 200, 429]
        assert (await call(fast_path))[0] == 200

    anyio.run(run)


def test_replies_are_counted_by_path_and_status() -> None:
    def counted() -> float:
        samples = [s for metric in REQUESTS.collect() for s in metric.samples]
        return sum(
            s.value
            for s in samples
            if s.labels == {"route": "/api", "status": "405"} and s.name.endswith("_total")
        )

    before = counted()
    anyio.run(call, a_fast_path(answers), "/api", "GET")
    assert counted() == before + 1
