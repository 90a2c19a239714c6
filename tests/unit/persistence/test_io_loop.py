"""Steps that wait for a socket run alike on a thread and on an event loop."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterator
from math import inf
from select import POLLIN, POLLOUT

import pytest
import uvloop

from persistence.pipeline.io_loop import Steps, on_loop, on_thread

Go = Callable[[Steps[list[int]], int], list[int]]


def on_asyncio(steps: Steps[list[int]], descriptor: int) -> list[int]:
    return asyncio.run(on_loop(steps, descriptor))


def on_uvloop(steps: Steps[list[int]], descriptor: int) -> list[int]:
    return uvloop.run(on_loop(steps, descriptor))


@pytest.fixture(params=[on_thread, on_asyncio, on_uvloop], ids=["thread", "asyncio", "uvloop"])
def go(request: pytest.FixtureRequest) -> Go:
    """Goes through steps."""
    result: Go = request.param
    return result


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Two sockets, connected to each other."""
    one, other = socket.socketpair()
    with one, other:
        one.setblocking(False)
        yield one, other


def waiting(*asked: tuple[int, float]) -> Steps[list[int]]:
    """Steps that wait for each in turn, and return what came."""
    came: list[int] = []
    for wanted in asked:
        came += [(yield wanted)]
    return came


def test_the_ready_events_are_returned(go: Go, ends: tuple[socket.socket, socket.socket]) -> None:
    one, other = ends
    other.send(b"x")
    (came,) = go(waiting((POLLIN, inf)), one.fileno())
    assert came & POLLIN


def test_a_writable_socket_is_ready_at_once(
    go: Go, ends: tuple[socket.socket, socket.socket]
) -> None:
    came = go(waiting((POLLIN | POLLOUT, 5), (POLLOUT, 5)), ends[0].fileno())
    assert came == [POLLOUT, POLLOUT]


def test_a_full_socket_can_still_be_readable(
    go: Go, ends: tuple[socket.socket, socket.socket]
) -> None:
    one, other = ends
    with contextlib.suppress(BlockingIOError):
        while True:
            one.send(bytes(1 << 16))
    other.send(b"x")
    assert go(waiting((POLLIN | POLLOUT, 5)), one.fileno()) == [POLLIN]


def test_a_timeout_returns_no_event(go: Go, ends: tuple[socket.socket, socket.socket]) -> None:
    assert go(waiting((POLLIN, 0.01)), ends[0].fileno()) == [0]


def test_a_closed_peer_makes_the_socket_readable(
    go: Go, ends: tuple[socket.socket, socket.socket]
) -> None:
    one, other = ends
    other.close()
    (came,) = go(waiting((POLLIN, 5)), one.fileno())
    assert came & POLLIN


def test_an_exception_of_the_steps_reaches_the_caller(
    go: Go, ends: tuple[socket.socket, socket.socket]
) -> None:
    def failing() -> Steps[list[int]]:
        yield POLLOUT, 5
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        go(failing(), ends[0].fileno())


def test_a_cancelled_wait_closes_the_steps(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    ended = []

    def careful() -> Steps[None]:
        try:
            yield POLLIN, inf
        finally:
            ended.append(True)

    async def leave() -> None:
        async with asyncio.timeout(0.01):
            await on_loop(careful(), ends[0].fileno())

    with pytest.raises(TimeoutError):
        uvloop.run(leave())
    assert ended
