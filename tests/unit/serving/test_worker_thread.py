"""A worker thread answers calls in order and runs deferred callbacks after them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import anyio
import pytest

from observability.deferred import DUE_ROWS, QUIET_S, after_answer
from serving.batching.worker_thread import WorkerThread


@pytest.fixture
def worker() -> Iterator[WorkerThread]:
    """A worker that has begun."""
    worker = WorkerThread("a worker")
    worker.start()
    yield worker
    worker.stop()


def test_a_call_is_answered_from_the_workers_thread(worker: WorkerThread) -> None:
    def where(argument: str) -> str:
        return f"{argument} {threading.current_thread().name}"

    assert anyio.run(worker.call, where, "on") == "on a worker"


def test_an_exception_reaches_the_caller_and_the_worker_continues(worker: WorkerThread) -> None:
    def fails(_: object) -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        anyio.run(worker.call, fails, None)
    assert anyio.run(worker.call, str, 7) == "7"


def test_a_cancelled_caller_does_not_stop_the_worker(worker: WorkerThread) -> None:
    go = threading.Event()

    async def leave() -> None:
        with anyio.move_on_after(0.01):
            await worker.call(lambda _: go.wait(5), None)
        go.set()
        assert await worker.call(str, 7) == "7"

    anyio.run(leave)


def test_deferred_callbacks_run_after_the_answer_also_when_one_fails(
    worker: WorkerThread,
) -> None:
    done = threading.Event()
    may = threading.Event()

    def fails() -> None:
        may.wait(5)
        raise ValueError("no")

    def answers(_: object) -> str:
        after_answer(fails, 1)
        after_answer(done.set, 1)
        return "answered"

    async def call() -> None:
        assert await worker.call(answers, None) == "answered"
        assert not done.is_set()
        may.set()

    anyio.run(call)
    assert done.wait(5)


def test_outside_a_worker_callbacks_run_at_once() -> None:
    called: list[Callable[[], None]] = []
    after_answer(lambda: called.append(print), 1)
    assert called


def test_under_load_the_worker_defers_a_bounded_number_of_rows(worker: WorkerThread) -> None:
    told: list[int] = []
    most = 0
    all_wait = threading.Event()

    def answers(number: int) -> None:
        nonlocal most
        assert all_wait.wait(5)
        after_answer(lambda: told.append(number), 1)
        most = max(most, number + 1 - len(told))

    async def calls() -> None:
        async with anyio.create_task_group() as tasks:
            for number in range(10 * DUE_ROWS):
                tasks.start_soon(worker.call, answers, number)
            await anyio.sleep(0.01)
            all_wait.set()

    anyio.run(calls)
    worker.stop()
    assert told == list(range(10 * DUE_ROWS)), "in the order of the answers, and all by the end"
    assert most == DUE_ROWS


def test_the_callback_of_a_large_batch_runs_before_the_next_call(worker: WorkerThread) -> None:
    told: list[bool] = []

    def answers(_: object) -> bool:
        before = bool(told)
        after_answer(lambda: told.append(True), DUE_ROWS)
        return before

    async def calls() -> list[bool]:
        return [await worker.call(answers, None), await worker.call(answers, None)]

    assert anyio.run(calls) == [False, True]


def test_an_idle_worker_runs_its_callbacks(worker: WorkerThread) -> None:
    told = threading.Event()
    anyio.run(worker.call, lambda _: after_answer(told.set, 1), None)
    assert told.wait(1000 * QUIET_S)
