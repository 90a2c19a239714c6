"""An event loop runs deferred work once it is quiet or `DUE_ROWS` rows are due."""

from __future__ import annotations

import asyncio
import logging

import pytest

from observability.deferred import (
    DUE_ROWS,
    QUIET_S,
    DeferredQueue,
    LoopDeferredQueue,
)


def test_a_failure_is_logged_and_the_other_functions_still_run(
    caplog: pytest.LogCaptureFixture,
) -> None:
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


def test_work_waits_until_the_loop_is_quiet() -> None:
    async def add_work() -> list[int]:
        done: list[int] = []
        deferred = LoopDeferredQueue(asyncio.get_running_loop())
        for number in range(DUE_ROWS - 1):
            deferred.add(lambda number=number: done.append(number), 1)
            await asyncio.sleep(QUIET_S / 10)
        before = list(done)
        await asyncio.sleep(100 * QUIET_S)
        return [len(before), *done]

    left, *done = asyncio.run(add_work())
    assert left < DUE_ROWS - 1
    assert done == list(range(DUE_ROWS - 1))


def test_under_steady_load_the_deferred_work_stays_bounded() -> None:
    async def add_work() -> tuple[int, int]:
        done: list[bool] = []
        deferred = LoopDeferredQueue(asyncio.get_running_loop())
        most = 0
        for number in range(20 * DUE_ROWS):
            deferred.add(lambda: done.append(True), 1)
            most = max(most, number + 1 - len(done))
            await asyncio.sleep(QUIET_S / 4)
        return most, len(done)

    most, done = asyncio.run(add_work())
    # The loop checks every QUIET_S; a few more are added in between.
    assert most < 3 * DUE_ROWS
    assert done > 10 * DUE_ROWS
