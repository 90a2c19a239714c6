"""A thread that decides the batches of one queue, so that the event loop does not wait."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any

from observability.deferred import DUE_ROWS, QUIET_S, DeferredQueue
from serving.batching.item import AnsweredBatch

Decide = Callable[[Sequence[Any]], AnsweredBatch]
"""A function that decides the items of a batch and returns their answers."""
_Job = tuple[asyncio.Future[Sequence[Any]], Decide, Sequence[Any]]


class WorkerThread:
    """One thread that decides batches in turn and returns their answers to an event loop.

    The thread writes a batch's report after its answers, once no further batch waits or
    `DUE_ROWS` rows are due.

    `loop.run_in_executor` would do the same, but its two futures and a condition per call take 8 %
    of the CPU of a single /score.

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
        """Stop the thread after the batches that were queued before this call and their reports."""
        self._jobs.put(None)
        if self._thread.is_alive():
            self._thread.join()

    async def call(self, decide: Decide, items: Sequence[Any]) -> Sequence[Any]:
        """Decide a batch on the thread and return its answers.

        Args:
            decide: function that the thread calls with the items; its exception is raised here.
            items: items of the batch.
        """
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
            except BaseException as raised:  # noqa: BLE001 - the caller handles it
                error = raised
            answers = answered.answers if answered else ()
            future.get_loop().call_soon_threadsafe(_resolve, future, answers, error)
            if answered:
                deferred.add(answered.report.write, answered.report.rows)
            # Release the batch's objects before the wait for the next one.
            del job, future, items, answered, answers, error
        deferred.run()

    def _next(self, deferred: DeferredQueue) -> _Job | None:
        """Return the next job, and run deferred work that is due; None stops the thread."""
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
        return  # the caller was cancelled
    if error is None:
        future.set_result(answers)
    else:
        future.set_exception(error)
