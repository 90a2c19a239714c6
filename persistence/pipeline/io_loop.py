"""Wait for Postgres, blocking the thread or on an event loop.

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
"""Generator that yields the events it waits for (POLLIN, POLLOUT or both) and the longest wait in
seconds, and receives the events that are ready, or 0 after that time. Where it is closed early it
must close its connection."""


def on_thread(steps: Steps[Result], descriptor: int) -> Result:
    """Run the steps on the calling thread, blocking.

    Args:
        steps: steps of one connection.
        descriptor: file descriptor of the connection's socket.
    """
    poller = poll()
    with closing(steps):
        try:
            events, seconds = next(steps)
            while True:
                poller.register(descriptor, events)
                ready = 0
                for _, event in poller.poll(None if seconds == inf else seconds * 1e3):
                    ready |= event
                events, seconds = steps.send(ready)
        except StopIteration as end:
            result: Result = end.value
            return result


async def on_loop(steps: Steps[Result], descriptor: int) -> Result:
    """Run the steps on the running event loop; arguments as for `on_thread`."""
    with closing(steps):
        try:
            events, seconds = next(steps)
            while True:
                events, seconds = steps.send(await _wait(descriptor, events, seconds))
        except StopIteration as end:
            result: Result = end.value
            return result


async def _wait(descriptor: int, events: int, seconds: float) -> int:
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[int] = loop.create_future()
    resolve = _resolver(ready)
    timer = None if seconds == inf else loop.call_later(seconds, resolve, 0)
    if events & POLLIN:
        loop.add_reader(descriptor, resolve, POLLIN)
    if events & POLLOUT:
        loop.add_writer(descriptor, resolve, POLLOUT)
    try:
        return await ready
    finally:
        loop.remove_reader(descriptor)
        if events & POLLOUT:
            loop.remove_writer(descriptor)
        if timer:
            timer.cancel()


def _resolver(ready: asyncio.Future[int]) -> Callable[[int], None]:
    def resolve(event: int) -> None:
        if not ready.done():
            ready.set_result(event)

    return resolve
