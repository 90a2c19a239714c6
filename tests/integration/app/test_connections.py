"""The protocol of a connection refuses at once what is too much, over a real socket."""

from __future__ import annotations

import asyncio
import json
import socket
from time import perf_counter

import pytest
import uvicorn
from uvicorn.config import Config

from app.connections import slow_requests
from app.connections.draining import _close_listening
from persistence.api_keys import Principal
from scoring.tenant import TenantLimits
from serving.fast_path import FastPath
from tests.support.load import request
from tests.support.raw_connections import POST, Connection, Server, while_one_is_in_flight
from web.request_body import SMALL_BYTES
from web.request_metrics import LATENCY


def durations() -> float:
    """Return how many durations of /score were observed."""
    samples = [s for metric in LATENCY.collect() for s in metric.samples]
    counts = [s for s in samples if s.name.endswith("_count")]
    return sum(s.value for s in counts if s.labels == {"route": "/score"})


def test_one_request_too_many_is_refused_and_the_application_does_not_see_it() -> None:
    async def run(server: Server, port: int) -> None:
        second = await Connection.open(port)
        before = durations()
        second.send(POST)
        status, headers, body = await second.receive()
        assert durations() == before
        assert status == 429
        assert headers["retry-after"] == "1"
        assert headers["content-type"] == "application/problem+json"
        assert headers["x-request-id"] == "one"
        assert json.loads(body)["type"] == "urn:sentinel:problem:overloaded"
        assert server.received == 1
        assert server.admission.refused == {"overload": 1, "rate": 0}
        second.send(request("POST", "/elsewhere", b"{}"))
        assert (await second.receive())[2] == b"below"
        second.close()

    while_one_is_in_flight(run)


def test_a_client_that_comes_again_at_once_is_answered_when_it_should_have_come() -> None:
    async def run(_: Server, port: int) -> None:
        hasty = await Connection.open(port)
        hasty.send(POST)
        await hasty.receive()
        begun_s = perf_counter()
        hasty.send(POST)
        assert (await hasty.receive())[0] == 429
        assert perf_counter() - begun_s > 0.4
        hasty.close()

    while_one_is_in_flight(run)


def test_a_hasty_client_is_admitted_at_once_when_there_is_room() -> None:
    async def run(server: Server, port: int) -> None:
        hasty = await Connection.open(port)
        hasty.send(POST)
        assert (await hasty.receive())[0] == 429
        begun_s = perf_counter()
        server.go.set()
        await asyncio.sleep(0.05)
        hasty.send(POST)
        assert (await hasty.receive())[0] == 200
        assert perf_counter() - begun_s < 0.4
        hasty.close()

    while_one_is_in_flight(run)


def test_requests_that_are_sent_at_once_are_refused_one_after_the_other() -> None:
    async def run(server: Server, port: int) -> None:
        second = await Connection.open(port)
        second.send(b"".join(request("POST", "/score", b"{}", X_Request_ID=i) for i in "abc"))
        replies = [await second.receive() for _ in "abc"]
        assert [(r[0], r[1]["x-request-id"]) for r in replies] == [(429, i) for i in "abc"]
        assert server.received == 1
        second.close()

    while_one_is_in_flight(run)


def test_a_client_that_leaves_while_its_refusal_is_held_is_forgotten() -> None:
    async def run(server: Server, port: int) -> None:
        hasty = await Connection.open(port)
        hasty.send(POST)
        await hasty.receive()
        hasty.send(POST)
        while not server.admission.held:
            await asyncio.sleep(0.001)
        hasty.close()
        while server.admission.held:
            await asyncio.sleep(0.001)

    while_one_is_in_flight(run)


@pytest.mark.parametrize(
    "sent", [b"", b"POST /sco", POST[:-10], POST[:-1]], ids=["nothing", "line", "head", "body"]
)
def test_a_request_that_does_not_arrive_in_time_is_408_and_its_connection_ends(
    sent: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slow_requests, "ARRIVAL_S", 0.2)
    monkeypatch.setattr(slow_requests, "_STEP_S", 0.05)

    async def run(server: Server, port: int) -> None:
        slow = await Connection.open(port)
        slow.send(sent)
        status, headers, _ = await slow.receive()
        assert status == 408
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"
        identifier = headers["x-request-id"]
        assert identifier == "one" if sent == POST[:-1] else len(identifier) == 32
        assert await slow.is_closed()
        assert server.received == 1

    while_one_is_in_flight(run)


def test_a_connection_that_waits_for_its_next_request_or_its_reply_is_not_slow(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(slow_requests, "ARRIVAL_S", 0.1)
    monkeypatch.setattr(slow_requests, "_STEP_S", 0.02)

    async def run(_: Server, port: int) -> None:
        idle = await Connection.open(port)
        idle.send(request("POST", "/elsewhere", b"{}"))
        await idle.receive()
        await asyncio.sleep(0.3)
        idle.send(request("POST", "/elsewhere", b"{}"))
        assert (await idle.receive())[2] == b"below"
        idle.close()

    while_one_is_in_flight(run)


@pytest.mark.parametrize(
    "sent",
    [
        b"POST /score HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        request("POST", "/score", b"x" * (SMALL_BYTES + 1)),
        request("POST", "/score", b"{}", Connection="close"),
        request("POST", "/score", b"{}", Expect="100-continue"),
    ],
    ids=["chunked", "large", "last", "expect"],
)
def test_unusual_requests_are_refused_too(sent: bytes) -> None:
    async def run(server: Server, port: int) -> None:
        second = await Connection.open(port)
        second.send(sent)
        status, headers, body = await second.receive()
        assert (status, headers["retry-after"]) == (429, "1")
        assert headers["x-content-type-options"] == "nosniff"
        assert json.loads(body)["type"] == "urn:sentinel:problem:overloaded"
        assert server.received == 1
        second.close()

    while_one_is_in_flight(run)


def posted_by(caller: str) -> bytes:
    return request("POST", "/score", b"{}", Authorization=caller)


def test_another_caller_on_a_shared_connection_does_not_wait_for_the_hasty_one() -> None:
    async def run(_: Server, port: int) -> None:
        shared = await Connection.open(port)
        began_s = perf_counter()
        for caller in ("one", "other", "one"):
            shared.send(posted_by(caller))
            assert (await shared.receive())[0] == 429
        assert perf_counter() - began_s < 0.4
        shared.send(posted_by("one"))
        assert (await shared.receive())[0] == 429
        assert perf_counter() - began_s > 0.4
        shared.close()

    while_one_is_in_flight(run)


def test_a_refusal_for_a_rate_that_is_held_is_none_of_an_overload() -> None:
    async def run(server: Server, port: int) -> None:
        server.rates.follow(lambda _: TenantLimits(tenant=1))
        server.rates.take(a_principal(), hash(b"limited"))
        limited = await Connection.open(port)
        limited.send(posted_by("limited"))
        _, _, body = await limited.receive()
        assert json.loads(body)["type"] == "urn:sentinel:problem:rate-limited"
        assert server.admission.refused == {"overload": 0, "rate": 1}
        limited.send(posted_by("limited"))
        while not server.admission.held_for_rate:
            await asyncio.sleep(0.001)
        assert server.admission.held == 0
        limited.close()
        while server.admission.held_for_rate:
            await asyncio.sleep(0.001)
        assert server.admission.held == 0

    while_one_is_in_flight(run)


def a_principal() -> Principal:
    return Principal(1, "demo", "fraud-demo", "a", "a", frozenset({"score"}), None)


def test_a_socket_that_another_worker_has_shut_down_ends_no_drain() -> None:
    listening = socket.create_server(("127.0.0.1", 0))
    client = socket.create_connection(listening.getsockname())
    ending = uvicorn.Server(Config(FastPath, log_config=None))
    ending.servers = []
    with listening, client:
        (waiting,) = _close_listening(ending, [listening])
        waiting.close()
        assert _close_listening(ending, [listening]) == []
