"""The threads that decide batches, one a queue, so that the event loop never waits for Postgres."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from queue import Empty, SimpleQueue
from threading import Thread, local
from typing import Any

logger = logging.getLogger("sentinel.api")

_Job = tuple[asyncio.Future[Any], Callable[[Any], Any], Any]

QUIET_S = 0.002
"""Without a call for so long a worker turns to what was left for later; a lone client, whose
requests come one after the other, is back sooner."""
DUE_ROWS = 16
"""What as many rows have left for later is not put off any further."""


class _Later:
    """What a worker's answers have left for later."""

    def __init__(self) -> None:
        self.rows = 0
        self._functions: list[Callable[[], None]] = []

    def add(self, function: Callable[[], None], rows: int) -> None:
        """Put one off."""
        self._functions.append(function)
        self.rows += rows

    def do(self) -> None:
        """Do all of it; what fails is logged."""
        for function in self._functions:
            try:
                function()
            except Exception:
                logger.exception("what was left for after an answer failed")
        self._functions.clear()
        self.rows = 0


_this_thread = local()


def after_answer(function: Callable[[], None], rows: int) -> None:
    """Have the worker that this runs on call a function after its answer; elsewhere, call it.

    What nobody waits for, the log and the metrics, was 11 % of the interpreter's time at one client
    right after each answer, and is 2 % where 16 are told of together; p50 is 14 % less.

    Args:
        function: takes nothing.
        rows: how much it has to tell, for `DUE_ROWS`.
    """
    later: _Later | None = getattr(_this_thread, "later", None)
    if later is None:
        function()
    else:
        later.add(function, rows)


class Worker:
    """One thread that calls functions in turn, and answers to an event loop.

    `loop.run_in_executor` does the same for any executor through two futures and a condition a
    call: 8 % of the CPU of a lone /score.

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
        later = _this_thread.later = _Later()
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

    def _next(self, later: _Later) -> _Job | None:
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
