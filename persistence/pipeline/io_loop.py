"""Waiting for Postgres: on a thread of one's own, or on an event loop that serves others meanwhile.

A generator yields what is waited for, so that a protocol is written once for both, as psycopg
does: https://www.psycopg.org/articles/2021/02/16/psycopg3-async/
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from contextlib import closing
from math import inf
from select import POLLIN, POLLOUT, poll
from typing import TypeVar

Result = TypeVar("Result")

Steps = Generator[tuple[int, float], int, Result]
"""Yields which events it waits for (POLLIN, POLLOUT or both), and for how many seconds at most; is
sent those that came, or 0. It has to end its connection's business where it is closed early."""


def on_thread(steps: Steps[Result], descriptor: int) -> Result:
    """Go through the steps, blocking.

    Args:
        steps: of one connection.
        descriptor: its socket's.
    """
    line = poll()
    with closing(steps):
        try:
            wanted, seconds = next(steps)
            while True:
                line.register(descriptor, wanted)
                came = 0
                for _, event in line.poll(None if seconds == inf else seconds * 1e3):
                    came |= event
                wanted, seconds = steps.send(came)
        except StopIteration as end:
            result: Result = end.value
            return result


async def on_loop(steps: Steps[Result], descriptor: int) -> Result:
    """Go through the steps on the running event loop; arguments as for `on_thread`."""
    with closing(steps):
        try:
            wanted, seconds = next(steps)
            while True:
                wanted, seconds = steps.send(await _come(descriptor, wanted, seconds))
        except StopIteration as end:
            result: Result = end.value
            return result


async def _come(descriptor: int, wanted: int, seconds: float) -> int:
    loop = asyncio.get_running_loop()
    came: asyncio.Future[int] = loop.create_future()
    say = _sayer(came)
    timer = None if seconds == inf else loop.call_later(seconds, say, 0)
    if wanted & POLLIN:
        loop.add_reader(descriptor, say, POLLIN)
    if wanted & POLLOUT:
        loop.add_writer(descriptor, say, POLLOUT)
    try:
        return await came
    finally:
        loop.remove_reader(descriptor)
        if wanted & POLLOUT:
            loop.remove_writer(descriptor)
        if timer:
            timer.cancel()


def _sayer(came: asyncio.Future[int]) -> Callable[[int], None]:
    def say(event: int) -> None:
        if not came.done():
            came.set_result(event)

    return say
