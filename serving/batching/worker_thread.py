"""The threads that decide batches, one a queue, so that the event loop never waits for Postgres."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any

from observability.deferred import DUE_ROWS, QUIET_S, DeferredQueue
from serving.batching.item import AnsweredBatch

Decide = Callable[[Sequence[Any]], AnsweredBatch]
"""A function that decides the items of a batch."""
_Job = tuple[asyncio.Future[Sequence[Any]], Decide, Sequence[Any]]


class WorkerThread:
    """One thread that decides batches in turn and returns their answers to an event loop.

    The thread writes a batch's report after its answers, when no further batch waits or enough
    reports are due.

    `loop.run_in_executor` does the same for any executor through two futures and a condition a
    call, which take 8 % of the CPU of a single /score.

    Args:
        name: name of the thread.
    """

    def __init__(self, name: str) -> None:
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._thread = Thread(target=self._work, name=name, daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Stop the thread once all batches before this call are answered and reported."""
        self._jobs.put(None)
        if self._thread.is_alive():
            self._thread.join()

    async def call(self, decide: Decide, items: Sequence[Any]) -> Sequence[Any]:
        """Decide a batch on the thread and return its answers; raise what the function raises."""
        future = asyncio.get_running_loop().create_future()
        self._jobs.put((future, decide, items))
        answers: Sequence[Any] = await future
        return answers

    def _work(self) -> None:
        deferred = DeferredQueue()
        while job := self._next(deferred):
            future, decide, items = job
            answered: AnsweredBatch | None = None
            error: BaseException | None = None
            try:
                answered = decide(items)
            except BaseException as raised:  # noqa: BLE001 - the caller's to handle
                error = raised
            answers = answered.answers if answered else ()
            future.get_loop().call_soon_threadsafe(_resolve, future, answers, error)
            if answered:
                deferred.add(answered.report.write, answered.report.rows)
            # What a batch held is released before the next one is waited for.
            del job, future, items, answered, answers, error
        deferred.run()

    def _next(self, deferred: DeferredQueue) -> _Job | None:
        """Wait for the next job and run deferred work when it is due; None means stop."""
        if not deferred.rows:
            return self._jobs.get()
        try:
            job = self._jobs.get(timeout=QUIET_S)
        except Empty:
            deferred.run()
            return self._jobs.get()
        if deferred.rows >= DUE_ROWS:
            deferred.run()
        return job


def _resolve(
    future: asyncio.Future[Sequence[Any]], answers: Sequence[Any], error: BaseException | None
) -> None:
    if future.done():
        return  # the caller has hung up
    if error is None:
        future.set_result(answers)
    else:
        future.set_exception(error)
