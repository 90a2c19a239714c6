"""A worker thread decides batches in turn and writes their reports after the answers."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

import anyio
import pytest

from observability.deferred import DUE_ROWS, QUIET_S
from serving.batching.item import AnsweredBatch
from serving.batching.telemetry import BatchReport
from serving.batching.worker_thread import Decide, WorkerThread


@pytest.fixture
def worker() -> Iterator[WorkerThread]:
    """A worker that has started."""
    worker = WorkerThread("a worker")
    worker.start()
    yield worker
    worker.stop()


@dataclass(frozen=True)
class Report:
    """A report that calls a function when it is written."""

    write: Callable[[], object] = lambda: None
    rows: int = 1


def answers(decide: Callable[[Any], Any], report: Report | None = None) -> Decide:
    """Return a function that answers each item and reports once."""

    def decide_all(items: Sequence[Any]) -> AnsweredBatch:
        return AnsweredBatch(
            [decide(item) for item in items], cast("BatchReport", report or Report())
        )

    return decide_all


def test_a_batch_is_answered_from_the_workers_thread(worker: WorkerThread) -> None:
    def where(item: str) -> str:
        return f"{item} {threading.current_thread().name}"

    assert anyio.run(worker.call, answers(where), ["on"]) == ["on a worker"]


def test_the_caller_gets_the_functions_error_and_the_worker_continues(worker: WorkerThread) -> None:
    def fails(_: object) -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        anyio.run(worker.call, answers(fails), [None])
    assert anyio.run(worker.call, answers(str), [7]) == ["7"]


def test_a_cancelled_caller_does_not_stop_the_worker(worker: WorkerThread) -> None:
    go = threading.Event()

    async def leave() -> None:
        with anyio.move_on_after(0.01):
            await worker.call(answers(lambda _: go.wait(5)), [None])
        go.set()
        assert await worker.call(answers(str), [7]) == ["7"]

    anyio.run(leave)


def test_reports_are_written_after_their_answers_whether_or_not_one_fails(
    worker: WorkerThread,
) -> None:
    written = threading.Event()
    answered = threading.Event()

    def fails() -> None:
        answered.wait(5)
        raise ValueError("no")

    def writes() -> None:
        answered.wait(5)
        written.set()

    async def call() -> None:
        assert await worker.call(answers(str, Report(fails)), [1]) == ["1"]
        assert await worker.call(answers(str, Report(writes)), [2]) == ["2"]
        assert not written.is_set()
        answered.set()

    anyio.run(call)
    assert written.wait(5)


def test_under_steady_load_no_more_reports_are_deferred_than_are_due(worker: WorkerThread) -> None:
    written: list[int] = []
    most = 0
    all_queued = threading.Event()

    async def call(number: int) -> None:
        def decide(_: object) -> None:
            nonlocal most
            assert all_queued.wait(5)
            most = max(most, number + 1 - len(written))

        await worker.call(answers(decide, Report(lambda: written.append(number))), [None])

    async def calls() -> None:
        async with anyio.create_task_group() as tasks:
            for number in range(10 * DUE_ROWS):
                tasks.start_soon(call, number)
            await anyio.sleep(0.01)
            all_queued.set()

    anyio.run(calls)
    worker.stop()
    assert written == list(range(10 * DUE_ROWS)), "in the order of the answers, and all by the end"
    assert most == DUE_ROWS


def test_a_large_batch_is_reported_before_the_next_one_begins(worker: WorkerThread) -> None:
    written: list[bool] = []
    report = Report(lambda: written.append(True), DUE_ROWS)

    async def calls() -> list[Any]:
        decide = answers(lambda _: bool(written), report)
        return [await worker.call(decide, [None]), await worker.call(decide, [None])]

    assert anyio.run(calls) == [[False], [True]]


def test_a_report_is_written_once_the_worker_is_idle(worker: WorkerThread) -> None:
    written = threading.Event()
    anyio.run(worker.call, answers(str, Report(written.set)), [None])
    assert written.wait(1000 * QUIET_S)
