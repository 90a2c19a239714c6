"""Load new versions on threads, so that a slow one delays the other names for a short time only."""

from __future__ import annotations

import threading
from collections.abc import Callable, Set
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass
from queue import SimpleQueue
from time import monotonic

from registry.client.base import RegisteredVersion

LOADS_AT_ONCE = 4
PATIENCE_S = 10.0
"""Seconds without any finished load after which the unfinished ones no longer delay a poll."""
_FIRST_DELAY_S, _LONGEST_DELAY_S = 0.5, 30.0


class StillLoading(Exception):
    """A version's first load takes long."""

    def __init__(self, version: RegisteredVersion) -> None:
        super().__init__(f"{version} is still loading")


Load = Callable[[RegisteredVersion], Exception | None]


@dataclass(slots=True)
class _Attempt:
    """The latest attempt to load a version.

    Attributes:
        future: result of the attempt: the error, or None.
        delay_s: seconds from its end until the next attempt.
        before: error that counts while the attempt runs: that of the attempt before it.
        again_at_s: monotonic time of the next attempt; infinite until the result is read.
    """

    future: Future[Exception | None]
    delay_s: float
    before: Exception | None
    again_at_s: float = float("inf")


class BackgroundLoads:
    """Loads versions on daemon threads; its caller serialises the calls of `results`.

    A version that failed is tried again after a delay that doubles, on other threads, and nobody
    waits for it: names whose loads fail or hang do not hold up new versions of other names.

    Args:
        load: function that loads a version and returns the error, or None.
        patience_s: seconds without a finished load after which `results` returns.
    """

    def __init__(self, load: Load, patience_s: float = PATIENCE_S) -> None:
        self._load = load
        self._patience_s = patience_s
        self._attempts: dict[RegisteredVersion, _Attempt] = {}
        self._first = _Threads(LOADS_AT_ONCE)
        self._again = _Threads(LOADS_AT_ONCE)

    def results(
        self, versions: Set[RegisteredVersion]
    ) -> dict[RegisteredVersion, Exception | None]:
        """Start the loads that are due, wait, and return the latest error of each version."""
        running = {self._start(version) for version in versions if version not in self._attempts}
        for version in versions:
            if monotonic() >= self._attempts[version].again_at_s:
                self._repeat(version, self._attempts[version])
        while running:
            finished, running = wait(running, self._patience_s, return_when=FIRST_COMPLETED)
            if not finished:
                break
        return {version: self._result(version) for version in versions}

    def forget_all_but(self, versions: Set[RegisteredVersion]) -> None:
        """Forget the attempts at other versions than these."""
        self._attempts = {v: a for v, a in self._attempts.items() if v in versions}

    def _start(self, version: RegisteredVersion) -> Future[Exception | None]:
        future = self._first.submit(lambda: self._load(version))
        self._attempts[version] = _Attempt(future, _FIRST_DELAY_S, StillLoading(version))
        return future

    def _repeat(self, version: RegisteredVersion, failed: _Attempt) -> None:
        future = self._again.submit(lambda: self._load(version))
        delay_s = min(failed.delay_s * 2, _LONGEST_DELAY_S)
        self._attempts[version] = _Attempt(future, delay_s, failed.future.result())

    def _result(self, version: RegisteredVersion) -> Exception | None:
        attempt = self._attempts[version]
        if not attempt.future.done():
            return attempt.before
        error = attempt.future.result()
        if error is None:
            # A version that serves is not loaded again, so nothing has to be kept.
            del self._attempts[version]
        elif attempt.again_at_s == float("inf"):
            attempt.again_at_s = monotonic() + attempt.delay_s
        return error


class _Threads:
    """Daemon threads that call functions: the end of the process does not wait for them."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._waiting: SimpleQueue[tuple[Future[Exception | None], Callable[[], Exception | None]]]
        self._waiting = SimpleQueue()
        self._threads: list[threading.Thread] = []

    def submit(self, function: Callable[[], Exception | None]) -> Future[Exception | None]:
        """Call a function on one of the threads; it must not raise."""
        future: Future[Exception | None] = Future()
        self._waiting.put((future, function))
        if len(self._threads) < self._count:
            thread = threading.Thread(target=self._run, name="model-loader", daemon=True)
            self._threads.append(thread)
            thread.start()
        return future

    def _run(self) -> None:
        while True:
            future, function = self._waiting.get()
            future.set_result(function())
