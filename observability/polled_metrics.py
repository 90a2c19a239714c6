"""The base of collectors whose values are read in the background, once a minute."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Generic, TypeVar

from prometheus_client.registry import Collector

from observability.background_loop import BackgroundLoop
from persistence.outage import Outage
from scoring.errors import SentinelError

READ_EVERY_S = 60.0

Values = TypeVar("Values")


class PolledMetrics(Collector, Generic[Values]):
    """Keeps the values that were read last; a scrape waits for nothing.

    Args:
        read: function that reads the values.
        name: name of the thread.
        task: description of a reading for the log, such as `reading drift`.
        logger: logger of failed readings.
    """

    def __init__(
        self, read: Callable[[], Values], *, name: str, task: str, logger: logging.Logger
    ) -> None:
        self._read = read
        self._latest: Values | None = None
        self._outage = Outage(logger, task)
        self._loop = BackgroundLoop(
            name, self._refresh_or_warn, READ_EVERY_S, logger=logger, task=task, runs_at_start=True
        )

    def start(self) -> None:
        """Read now and every READ_EVERY_S seconds, in the background."""
        self._loop.start()

    def stop(self) -> None:
        """Stop reading; wait for a read that has begun."""
        self._loop.stop()

    def refresh(self) -> None:
        """Read the values now.

        Raises:
            SentinelError: they cannot be read; the previous values stay.
        """
        self._latest = self._read()

    def _refresh_or_warn(self) -> None:
        try:
            self.refresh()
        except SentinelError as error:
            self._outage.goes_on(str(error))
        else:
            self._outage.is_over()
