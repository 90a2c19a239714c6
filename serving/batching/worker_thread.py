"""The threads that decide batches, one a queue, so that the event loop never waits for Postgres."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any

from observability.deferred import DUE_ROWS, QUIET_S, DeferredQueue, set_deferred_queue

_Job = tuple[asyncio.Future[Any], Callable[[Any], Any], Any]


class WorkerThread:
    """One thread that calls functions in turn, and answers to an event loop.

    `loop.run_in_executor` does the same for any executor through two futures and a condition a
    call: 8 % of the CPU of a single /score.

    Args:
        name: of the thread.
    """

    def __init__(self, name: str) -> None:
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._thread = Thread(target=self._work, name=name, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End, once what was asked for before is done."""
        self._jobs.put(None)
        if self._thread.is_alive():
            self._thread.join()

    async def call(self, function: Callable[[Any], Any], argument: Any) -> Any:  # noqa: ANN401
        """Return what the function returns on the worker's thread, or raise what it raises."""
        future = asyncio.get_running_loop().create_future()
        self._jobs.put((future, function, argument))
        return await future

    def _work(self) -> None:
        later = DeferredQueue()
        set_deferred_queue(later)
        while job := self._next(later):
            future, function, argument = job
            found: Any = None
            error: BaseException | None = None
            try:
                found = function(argument)
            except BaseException as raised:  # noqa: BLE001 - the caller's to handle
                error = raised
            future.get_loop().call_soon_threadsafe(_answer, future, found, error)
            # What a batch held is not kept until the next one comes.
            del job, future, argument, found, error
        later.do()

    def _next(self, later: DeferredQueue) -> _Job | None:
        """Wait for a call; None: to end."""
        if not later.rows:
            return self._jobs.get()
        try:
            job = self._jobs.get(timeout=QUIET_S)
        except Empty:
            later.do()
            return self._jobs.get()
        if later.rows >= DUE_ROWS:
            later.do()
        return job


def _answer(future: asyncio.Future[Any], found: object, error: BaseException | None) -> None:
    if future.done():
        return  # whoever asked has gone
    if error is None:
        future.set_result(found)
    else:
        future.set_exception(error)
