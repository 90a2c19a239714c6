"""Workers: one thread each, answers in turn, what nobody waits for afterwards."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import anyio
import pytest

from api.worker import Worker, after_answer


@pytest.fixture
def worker() -> Iterator[Worker]:
    """A worker that has begun."""
    worker = Worker("a worker")
    worker.start()
    yield worker
    worker.stop()


def test_a_call_is_answered_from_the_workers_thread(worker: Worker) -> None:
    def where(argument: str) -> str:
        return f"{argument} {threading.current_thread().name}"

    assert anyio.run(worker.call, where, "on") == "on a worker"


def test_what_a_function_raises_is_the_callers_and_the_worker_goes_on(worker: Worker) -> None:
    def fails(_: object) -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        anyio.run(worker.call, fails, None)
    assert anyio.run(worker.call, str, 7) == "7"


def test_a_caller_who_has_gone_does_not_stop_the_worker(worker: Worker) -> None:
    go = threading.Event()

    async def leave() -> None:
        with anyio.move_on_after(0.01):
            await worker.call(lambda _: go.wait(5), None)
        go.set()
        assert await worker.call(str, 7) == "7"

    anyio.run(leave)


def test_what_is_left_for_after_the_answer_runs_after_it_whether_or_not_one_fails(
    worker: Worker,
) -> None:
    done = threading.Event()
    may = threading.Event()

    def fails() -> None:
        may.wait(5)
        raise ValueError("no")

    def answers(_: object) -> str:
        after_answer(fails)
        after_answer(done.set)
        return "answered"

    async def call() -> None:
        assert await worker.call(answers, None) == "answered"
        assert not done.is_set()
        may.set()

    anyio.run(call)
    assert done.wait(5)


def test_off_a_worker_nothing_is_put_off() -> None:
    called: list[Callable[[], None]] = []
    after_answer(lambda: called.append(print))
    assert called
