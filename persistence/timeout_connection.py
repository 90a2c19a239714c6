"""A psycopg connection with a client-side time-out for each reply.

The server enforces `statement_timeout`, and TCP's own time-outs detect only a peer whose kernel is
gone. A server process that hangs, or a proxy that holds the bytes back, would block a worker thread
for ever: libpq has no time-out for reading.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from time import monotonic
from typing import Any

import psycopg
from psycopg.abc import RV, PQGen
from psycopg.pq import TransactionStatus
from psycopg.pq.abc import PGconn
from psycopg.rows import RowFactory, tuple_row


class TimeoutConnection(psycopg.Connection[Any]):
    """A connection that waits for each reply no longer than `timeout_s`.

    After the time-out it is closed and raises `psycopg.OperationalError`; the statement may or may
    not have been committed.

    Attributes:
        timeout_s: longest wait for a reply, seconds.
        prepared: names of the statements that `persistence/pipeline/libpq.py` has prepared on it.
    """

    def __init__(self, pgconn: PGconn, row_factory: RowFactory[Any] = tuple_row) -> None:
        super().__init__(pgconn, row_factory)
        self.timeout_s = inf
        self.prepared: set[bytes] = set()

    def wait(self, gen: PQGen[RV], *args: Any, **named: Any) -> RV:  # noqa: ANN401 - psycopg's
        """Wait as psycopg does, which resumes its generators every 0.1 s even without a reply."""
        return super().wait(self._within_timeout(gen), *args, **named)

    def rollback(self) -> None:
        """Roll back an open transaction; without one, skip psycopg's generator."""
        if self.pgconn.transaction_status != TransactionStatus.IDLE:
            super().rollback()

    def close_after_timeout(self) -> psycopg.OperationalError:
        """Close the connection; return the error to raise."""
        self.pgconn.finish()
        return psycopg.OperationalError(f"Postgres did not answer within {self.timeout_s:g} s")

    def _within_timeout(self, gen: PQGen[RV]) -> PQGen[RV]:
        deadline = monotonic() + self.timeout_s
        try:
            events = next(gen)
            while True:
                ready = yield events
                if not ready and monotonic() > deadline:
                    raise self.close_after_timeout()
                events = gen.send(ready)
        except StopIteration as end:
            result: RV = end.value
            return result


def connect_with_timeout(seconds: float) -> Callable[..., TimeoutConnection]:
    """Return a `connect` whose connections wait for each reply no longer than `seconds`."""

    def connect(*args: Any, **named: Any) -> TimeoutConnection:  # noqa: ANN401 - psycopg's
        connection = TimeoutConnection.connect(*args, **named)
        connection.timeout_s = seconds
        return connection

    return connect
