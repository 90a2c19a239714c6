"""Deferred callbacks run when the event loop is idle or enough rows are due."""

from __future__ import annotations

import asyncio
import logging
import threading

import pytest

from observability.deferred import (
    DUE_ROWS,
    QUIET_S,
    DeferredQueue,
    LoopDeferredQueue,
    after_answer,
    set_deferred_queue,
)


def test_a_failing_callback_is_logged_and_the_rest_run(caplog: pytest.LogCaptureFixture) -> None:
    def fails() -> None:
        raise ValueError("no")

    told: list[int] = []
    later = DeferredQueue()
    later.add(fails, 1)
    later.add(lambda: told.append(1), 1)
    with caplog.at_level(logging.ERROR, "sentinel.api"):
        later.do()
    assert told == [1]
    assert later.rows == 0
    assert "after an answer failed" in caplog.text


def test_deferred_callbacks_run_when_the_loop_is_idle() -> None:
    async def answers() -> list[int]:
        told: list[int] = []
        later = LoopDeferredQueue(asyncio.get_running_loop())
        for number in range(DUE_ROWS - 1):
            later.add(lambda number=number: told.append(number), 1)
            await asyncio.sleep(QUIET_S / 10)
        before = list(told)
        await asyncio.sleep(100 * QUIET_S)
        return [len(before), *told]

    left, *told = asyncio.run(answers())
    assert left < DUE_ROWS - 1
    assert told == list(range(DUE_ROWS - 1))


def test_under_load_the_number_of_deferred_rows_is_bounded() -> None:
    async def answers() -> tuple[int, int]:
        told: list[bool] = []
        later = LoopDeferredQueue(asyncio.get_running_loop())
        most = 0
        for number in range(20 * DUE_ROWS):
            later.add(lambda: told.append(True), 1)
            most = max(most, number + 1 - len(told))
            await asyncio.sleep(QUIET_S / 4)
        return most, len(told)

    most, told = asyncio.run(answers())
    # It looks every QUIET_S, in which a few more may come.
    assert most < 3 * DUE_ROWS
    assert told > 10 * DUE_ROWS


def test_each_thread_has_its_own_queue() -> None:
    async def answer() -> list[str]:
        told: list[str] = []
        set_deferred_queue(LoopDeferredQueue(asyncio.get_running_loop()))
        after_answer(lambda: told.append("later"), 1)
        other = threading.Thread(target=after_answer, args=(lambda: told.append("at once"), 1))
        other.start()
        other.join()
        await asyncio.sleep(100 * QUIET_S)
        return told

    found: list[list[str]] = []
    loop = threading.Thread(target=lambda: found.append(asyncio.run(answer())))
    loop.start()
    loop.join()
    assert found == [["at once", "later"]]
