"""Call a function at an interval on a thread of its own, until it is stopped."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable


class BackgroundLoop:
    """Calls `step` at an interval on a daemon thread.

    An exception from `step` is logged with its traceback, once until another one or none is raised,
    and the loop continues: if the thread ended, the process would keep serving stale data.

    Args:
        name: name of the thread.
        step: function that is called. It may block if it returns soon after `is_stopping` becomes
            true.
        interval_s: seconds from the end of one call to the beginning of the next.
        logger: logger of the exceptions.
        task: description of a call, the subject of "... failed; trying again".
        runs_at_start: whether the first call is at the start or after the first interval.
        on_stop: function that is called last on the thread.
    """

    def __init__(
        self,
        name: str,
        step: Callable[[], None],
        interval_s: float,
        *,
        logger: logging.Logger,
        task: str,
        runs_at_start: bool,
        on_stop: Callable[[], None] | None = None,
    ) -> None:
        self._step = step
        self._interval_s = interval_s
        self._logger = logger
        self._task = task
        self._runs_at_start = runs_at_start
        self._on_stop = on_stop
        self._fault: str | None = None
        self._stopping = threading.Event()
        self._due = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    @property
    def is_stopping(self) -> bool:
        """Whether `stop` was called."""
        return self._stopping.is_set()

    def start(self) -> None:
        """Start the thread; once only."""
        self._thread.start()

    def wake(self) -> None:
        """Make the next call now, or right after the one that has begun."""
        self._due.set()

    def pause(self, seconds: float) -> bool:
        """Wait inside of a call; return whether `stop` was called meanwhile."""
        return self._stopping.wait(seconds)

    def stop(self) -> None:
        """End the loop; wait for a call that has begun and for `on_stop`."""
        self._stopping.set()
        self._due.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        if self._runs_at_start:
            self._call(self._step)
        while not self._is_over():
            self._call(self._step)
        if self._on_stop:
            self._call(self._on_stop)

    def _is_over(self) -> bool:
        """Wait until the next call is due; return whether there is none."""
        self._due.wait(self._interval_s)
        self._due.clear()
        return self._stopping.is_set()

    def _call(self, function: Callable[[], None]) -> None:
        try:
            function()
        except Exception as error:
            fault = f"{type(error).__qualname__}: {error}"
            if fault != self._fault:
                self._logger.exception("%s failed; trying again", self._task)
            self._fault = fault
        else:
            if self._fault is not None:
                self._logger.warning("%s works again", self._task)
            self._fault = None
