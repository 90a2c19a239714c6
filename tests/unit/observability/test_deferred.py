"""Deferred work runs after the reply: when the event loop is quiet or enough rows are due."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import cast

import pytest

from observability.deferred import DUE_ROWS, QUIET_S, DeferredQueue, LoopDeferredQueue


class FakeLoop:
    """An event loop whose clock the test moves."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self._timers: list[tuple[float, Callable[[], None]]] = []

    def time(self) -> float:
        return self.now_s

    def call_later(self, delay_s: float, callback: Callable[[], None]) -> object:
        self._timers.append((self.now_s + delay_s, callback))
        return object()

    def advance(self, seconds: float) -> None:
        self.now_s += seconds
        due = [timer for timer in self._timers if timer[0] <= self.now_s + 1e-9]
        self._timers = [timer for timer in self._timers if timer not in due]
        for _, callback in due:
            callback()


@pytest.fixture
def loop() -> FakeLoop:
    """A loop at time 0."""
    return FakeLoop()


@pytest.fixture
def queue(loop: FakeLoop) -> LoopDeferredQueue:
    """The queue of the loop."""
    return LoopDeferredQueue(cast("asyncio.AbstractEventLoop", loop))


def test_a_failure_is_logged_and_the_rest_still_runs(caplog: pytest.LogCaptureFixture) -> None:
    def fails() -> None:
        raise ValueError("no")

    done: list[int] = []
    deferred = DeferredQueue()
    deferred.add(fails, 1)
    deferred.add(lambda: done.append(1), 1)
    with caplog.at_level(logging.ERROR, "sentinel.api"):
        deferred.run()
    assert done == [1]
    assert deferred.rows == 0
    assert "deferred until after the reply failed" in caplog.text


def test_work_waits_until_the_loop_is_quiet(loop: FakeLoop, queue: LoopDeferredQueue) -> None:
    done: list[int] = []
    for number in range(DUE_ROWS - 1):
        queue.add(lambda number=number: done.append(number), 1)
        loop.advance(QUIET_S / 2)
    assert done == []
    loop.advance(QUIET_S / 2)
    assert done == list(range(DUE_ROWS - 1))


def test_under_steady_load_no_more_work_is_deferred_than_is_due(
    loop: FakeLoop, queue: LoopDeferredQueue
) -> None:
    done: list[int] = []
    most = 0
    for number in range(20 * DUE_ROWS):
        queue.add(lambda number=number: done.append(number), 1)
        most = max(most, number + 1 - len(done))
        loop.advance(QUIET_S / 4)
    # The queue is checked every QUIET_S, in which four more may come.
    assert most <= DUE_ROWS + 4
    assert len(done) > 18 * DUE_ROWS


def test_a_real_event_loop_runs_the_work_by_itself() -> None:
    async def main() -> bool:
        done = asyncio.Event()
        LoopDeferredQueue(asyncio.get_running_loop()).add(done.set, 1)
        assert not done.is_set()
        return await asyncio.wait_for(done.wait(), 5)

    assert asyncio.run(main())
