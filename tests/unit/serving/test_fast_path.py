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
from persistence.api_keys import Principal
from scoring.errors import InvalidRequest, Overloaded, RateLimited, StoreUnavailable
from scoring.tenant import TenantLimits
from serving.admission import OVERLOAD, RATE, Admission
from serving.fast_path import CLIENT_CLOSED_REQUEST, SINGLE, FastPath
from serving.rate_limits import RateLimits
from web.problems import MEDIA_TYPE
from web.request_metrics import LATENCY, REQUESTS

Api = Callable[[Request], Awaitable[Response]]


async def below(_scope: Any, _receive: Any, send: Any) -> None:
    await Response("below")(_scope, _receive, send)


def a_fast_path(api: Api, *, timeout_s: float = 5, max_in_flight: int = 2) -> FastPath:
    admission = Admission(max_in_flight)
    return FastPath(below, {"/api": api}, Traces(), timeout_s, admission, RateLimits())


async def call(
    fast_path: FastPath, path: str = "/api", method: str = "POST", key: bytes = b"a key"
) -> tuple[int, Any, bytes]:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    scope: dict[str, Any] = {"type": "http", "path": path, "method": method, "query_string": b""}
    scope["headers"] = [(b"authorization", key)]
    await fast_path({**scope, "server": ("here", 80)}, None, send)  # type: ignore[arg-type]
    received = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], received, sent[1]["body"]


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


def known(rates: RateLimits, key: bytes, tenant_id: int) -> None:
    """Let the limits know the caller with a key."""
    principal = Principal(tenant_id, "demo", "fraud", "a", "a", frozenset({"score"}), None)
    rates.take(principal, hash(key))


def test_a_request_enters_with_its_tenant_and_gets_the_retry_after_of_the_overload() -> None:
    async def run() -> None:
        go = anyio.Event()

        async def waits(_request: Request) -> Response:
            await go.wait()
            return Response()

        admission, rates = Admission(2), RateLimits()
        fast_path = FastPath(below, {"/api": waits}, Traces(), 5, admission, rates)
        known(rates, b"flood", 1)
        known(rates, b"quiet", 2)
        async with anyio.create_task_group() as group:
            for _ in range(2):
                group.start_soon(call, fast_path, "/api", "POST", b"flood")
            await anyio.wait_all_tasks_blocked()
            assert (await call(fast_path, key=b"flood"))[0] == 429
            admission.retry_after_s = 7
            status, headers, _ = await call(fast_path, key=b"flood")
            assert (status, headers["retry-after"]) == (429, "7")
            assert admission.refused == {OVERLOAD: 2, RATE: 0}
            group.start_soon(call, fast_path, "/api", "POST", b"quiet")
            await anyio.wait_all_tasks_blocked()
            assert admission.in_flight == 3, "the quiet tenant has its share"
            go.set()
        assert admission.in_flight == 0

    anyio.run(run)


def test_a_caller_over_its_rate_is_refused_before_the_api() -> None:
    rates = RateLimits()
    rates.follow(lambda _: TenantLimits(tenant=1))
    admission = Admission(2)
    fast_path = FastPath(below, {"/api": answers}, Traces(), 5, admission, rates)
    known(rates, b"a key", 1)
    status, headers, _ = anyio.run(call, fast_path)
    assert (status, headers["ratelimit"]) == (429, '"tenant";r=0;t=1')
    assert admission.refused == {OVERLOAD: 0, RATE: 1}


@pytest.mark.parametrize(
    ("api", "counts"),
    [
        (answers, True),
        (raises(StoreUnavailable("Away.")), False),
        (raises(InvalidRequest("Not valid.")), False),
        (raises(ClientDisconnect()), False),
    ],
    ids=["200", "503", "422", "499"],
)
def test_only_the_latency_of_a_decision_sets_the_limit(
    api: Api, *, counts: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    latencies: list[float | None] = []
    leave = Admission.leave

    def watched(self: Admission, arrived_s: float | None, tenant_id: int | None = None) -> None:
        latencies.append(arrived_s)
        leave(self, arrived_s, tenant_id)

    monkeypatch.setattr(Admission, "leave", watched)
    fast_path = FastPath(below, {SINGLE: api}, Traces(), 5, Admission(1), RateLimits())
    anyio.run(call, fast_path, SINGLE)
    assert [latency is not None for latency in latencies] == [counts]


def observed() -> float:
    """Return how many durations of the path were observed."""
    samples = [s for metric in LATENCY.collect() for s in metric.samples]
    return sum(
        s.value for s in samples if s.labels == {"route": "/api"} and s.name.endswith("_count")
    )


@pytest.mark.parametrize(
    ("error", "reason"),
    [(Overloaded("Full."), OVERLOAD), (RateLimited("Too many.", headers={}), RATE)],
)
def test_a_refusal_is_counted_by_its_reason_and_has_no_duration(
    error: Exception, reason: str
) -> None:
    admission = Admission(2)
    fast_path = FastPath(below, {"/api": raises(error)}, Traces(), 5, admission, RateLimits())
    before = observed()
    anyio.run(call, fast_path)
    assert admission.refused == {OVERLOAD: 0, RATE: 0, reason: 1}
    assert observed() == before
    anyio.run(call, a_fast_path(answers))
    assert observed() == before + 1
