"""Keeps the figures of decisions by hour up to date, beside the payments."""

from __future__ import annotations

import logging
from datetime import UTC, datetime

from sqlalchemy import Engine

from observability.background_loop import BackgroundLoop
from persistence.hourly.expected import fold_expected
from persistence.hourly.folding import fold_hours
from persistence.outage import Outage
from persistence.tenants import list_tenants
from scoring.errors import SentinelError

logger = logging.getLogger("sentinel.overview")

INTERVAL_S = 60.0


class HourFolder:
    """Adds decisions and labels of every tenant to the figures of their hours, once a minute.

    Of several processes one does it for a tenant; what one leaves the next one adds.

    Args:
        engine: database pool that no payment waits for.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        task = "counting decisions by hour"
        self._outage = Outage(logger, task)
        self._loop = BackgroundLoop(
            "hour-folder",
            self._fold_or_warn,
            INTERVAL_S,
            logger=logger,
            task=task,
            runs_at_start=True,
        )

    def start(self) -> None:
        """Start the thread."""
        self._loop.start()

    def stop(self) -> None:
        """End the thread after a transaction that has begun."""
        self._loop.stop()

    def fold(self) -> None:
        """Add what is complete by now.

        Raises:
            SentinelError: Postgres is unreachable or the connection broke.
        """
        for tenant in list_tenants(self._engine):
            while not self._loop.is_stopping:
                now = datetime.now(UTC)
                has_more = fold_hours(self._engine, tenant.id, now)
                if not fold_expected(self._engine, tenant.id) and not has_more:
                    break

    def _fold_or_warn(self) -> None:
        try:
            self.fold()
        except SentinelError as error:
            self._outage.goes_on(str(error))
        else:
            self._outage.is_over()
