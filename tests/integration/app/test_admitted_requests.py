"""What a request takes of the limits of a process, and that it gives it back."""

from __future__ import annotations

import asyncio

import pytest
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from app.connections import protocol
from serving.fast_path import FastPath
from tests.support.load import request
from tests.support.raw_connections import POST, Connection, Server, while_one_is_in_flight
from web.request_body import SMALL_BYTES

UPGRADE = request("POST", "/score", b"{}", Connection="Upgrade", Upgrade="websocket")


def test_a_request_to_become_a_websocket_takes_no_room_for_good() -> None:
    async def run(server: Server, port: int) -> None:
        server.go.set()
        while server.admission.in_flight:
            await asyncio.sleep(0.001)
        for _ in range(3):
            upgrading = await Connection.open(port)
            upgrading.send(UPGRADE)
            assert (await upgrading.receive())[0] in {400, 403}
            upgrading.close()
        assert server.admission.in_flight == 0
        other = await Connection.open(port)
        other.send(POST)
        assert (await other.receive())[0] == 200
        other.close()

    while_one_is_in_flight(run)


def test_a_request_that_never_reaches_the_application_leaves_its_room(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def run(server: Server, port: int) -> None:
        server.go.set()
        while server.admission.in_flight:
            await asyncio.sleep(0.001)

        async def fail(*_: object) -> None:
            raise RuntimeError

        monkeypatch.setattr(FastPath, "__call__", fail)
        stopped = await Connection.open(port)
        stopped.send(POST)
        assert (await stopped.receive())[0] == 500
        await asyncio.sleep(0.01)
        assert server.admission.in_flight == 0
        monkeypatch.undo()

        monkeypatch.setattr(HttpToolsProtocol, "on_headers_complete", failing)
        broken = await Connection.open(port)
        broken.send(POST)
        assert (await broken.receive())[0] == 400
        assert server.admission.in_flight == 0
        monkeypatch.undo()
        for one in (stopped, broken):
            one.close()

    while_one_is_in_flight(run)


def failing(*_: object) -> None:
    raise RuntimeError


def test_a_connection_that_ends_before_its_request_is_started_leaves_its_room() -> None:
    async def run(server: Server, port: int) -> None:
        server.go.set()
        while server.admission.in_flight:
            await asyncio.sleep(0.001)
        gone = await Connection.open(port)
        gone.send(POST)
        gone.abort()
        await asyncio.sleep(0.05)
        assert server.admission.in_flight == 0

    while_one_is_in_flight(run)


def test_a_request_counts_when_it_is_received_whole() -> None:
    async def run(server: Server, port: int) -> None:
        server.go.set()
        while server.admission.in_flight:
            await asyncio.sleep(0.001)
        slow = await Connection.open(port)
        slow.send(POST[:-1])
        await asyncio.sleep(0.05)
        assert server.admission.in_flight == 0
        other = await Connection.open(port)
        other.send(POST)
        assert (await other.receive())[0] == 200
        slow.send(POST[-1:])
        assert (await slow.receive())[0] == 200
        for one in (slow, other):
            one.close()

    while_one_is_in_flight(run)


def test_bodies_that_arrive_have_a_bound_beyond_which_a_request_takes_room(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(protocol, "MAX_ARRIVING_BYTES", 100_000)
    sent = request("POST", "/score", b"x" * SMALL_BYTES)

    async def run(server: Server, port: int) -> None:
        server.go.set()
        while server.admission.in_flight:
            await asyncio.sleep(0.001)
        slow, late = [await Connection.open(port) for _ in range(2)]
        slow.send(sent[:-1])
        while server.arriving.total < SMALL_BYTES - 1:
            await asyncio.sleep(0.001)
        assert server.admission.in_flight == 0
        late.send(sent[:-1])
        while not server.admission.in_flight:
            await asyncio.sleep(0.001)
        assert server.arriving.total == SMALL_BYTES - 1
        for one in (late, slow):
            one.send(sent[-1:])
            assert (await one.receive())[0] == 200
        assert server.arriving.total == 0
        gone = await Connection.open(port)
        gone.send(sent[:-1])
        while not server.arriving.total:
            await asyncio.sleep(0.001)
        gone.abort()
        while server.arriving.total:
            await asyncio.sleep(0.001)
        for one in (late, slow):
            one.close()

    while_one_is_in_flight(run)
