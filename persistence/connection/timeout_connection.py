"""A psycopg connection with a time-out for each reply, and with settings behind a pooler.

The server enforces `statement_timeout`, and TCP's own time-outs detect only a peer whose kernel is
gone. A server process that hangs, or a proxy that holds the bytes back, would block a worker thread
for ever: libpq has no time-out for reading.

Behind a pooler a session belongs to this connection for one transaction only. So its settings are
put in force wherever a transaction begins, here and in `persistence/pipeline/libpq.py`, and nothing
runs outside of one.
"""

from __future__ import annotations

from math import inf
from time import monotonic
from typing import Any, Protocol, Self

import psycopg
from psycopg.abc import RV, AdaptContext, PQGen
from psycopg.adapt import AdaptersMap
from psycopg.pq import TransactionStatus
from psycopg.pq.abc import PGconn
from psycopg.rows import RowFactory, tuple_row

from persistence.connection.settings import SessionSettings


class Watch(Protocol):
    """What ends a wait before its time-out."""

    def gives_up(self, waited_s: float) -> bool:
        """Whether a caller that has waited for so many seconds stops waiting."""


class TimeoutConnection(psycopg.Connection[Any]):
    """A connection that waits for each reply no longer than `timeout_s`.

    After the time-out it is closed and raises `psycopg.OperationalError`; the statement may or may
    not have been committed.

    Attributes:
        timeout_s: longest wait for a reply, seconds.
        prepared: names of the statements that `persistence/pipeline/libpq.py` has prepared on it.
        settings: settings of its transactions.
        pooled_settings: statement that each transaction begins with behind a pooler; None where the
            connection has a session of its own.
        watch: what ends a wait before its time-out; None: nothing does.
    """

    def __init__(self, pgconn: PGconn, row_factory: RowFactory[Any] = tuple_row) -> None:
        super().__init__(pgconn, row_factory)
        self.timeout_s = inf
        self.prepared: set[bytes] = set()
        self.settings: SessionSettings | None = None
        self.pooled_settings: bytes | None = None
        self.watch: Watch | None = None

    @classmethod
    def of(cls, pgconn: PGconn, context: AdaptContext | None) -> Self:
        """Return an open connection of libpq as `connect` returns one.

        Args:
            pgconn: connection that does not block.
            context: psycopg's adapters of the connection.
        """
        connection = cls(pgconn)
        if context is not None:
            connection._adapters = AdaptersMap(context.adapters)
        return connection

    def pooled_with(self, settings: bytes) -> None:
        """Begin each transaction with the settings from now on, and prepare no statement.

        Args:
            settings: statement that puts the settings in force until the end of the transaction.
        """
        self.autocommit = False
        self.prepare_threshold = None
        self.pooled_settings = settings

    def set_autocommit(self, value: bool) -> None:
        """Set psycopg's autocommit mode, in which behind a pooler no setting would be in force."""
        if value and self.pooled_settings is not None:
            raise psycopg.ProgrammingError("a pooled connection has no autocommit mode")
        super().set_autocommit(value)

    def wait(self, gen: PQGen[RV], *args: Any, **named: Any) -> RV:  # noqa: ANN401 - psycopg's
        """Wait as psycopg does, which resumes its generators every 0.1 s even without a reply.

        Raises:
            psycopg.errors.InvalidSqlStatementName: Postgres has forgotten the statements that this
                connection prepared; they are prepared again when they are next used.
        """
        try:
            return super().wait(self._within_timeout(gen), *args, **named)
        except psycopg.errors.InvalidSqlStatementName:
            # A pooler that resets sessions drops them. psycopg would go on to use their names.
            self._prepared.clear()
            raise

    def _exec_command(self, command: Any, *args: Any, **named: Any) -> PQGen[Any]:  # noqa: ANN401 - psycopg's
        """Run a command of psycopg's own; after its BEGIN put the settings in force."""
        result = yield from super()._exec_command(command, *args, **named)
        if self.pooled_settings is not None and command == self._get_tx_start_command():
            yield from super()._exec_command(self.pooled_settings)
        return result

    def rollback(self) -> None:
        """Roll back an open transaction; without one, skip psycopg's generator."""
        if self.pgconn.transaction_status != TransactionStatus.IDLE:
            super().rollback()

    def close_after_timeout(self) -> psycopg.OperationalError:
        """Close the connection; return the error to raise."""
        self.pgconn.finish()
        return psycopg.OperationalError(f"Postgres did not answer within {self.timeout_s:g} s")

    def check_wait(self, deadline: float) -> None:
        """Close the connection where its reply is late, or is not waited for any longer.

        Args:
            deadline: monotonic time of the time-out.

        Raises:
            psycopg.OperationalError: the connection is closed.
        """
        left_s = deadline - monotonic()
        if left_s <= 0:
            raise self.close_after_timeout()
        waited_s = self.timeout_s - left_s
        if self.watch is not None and self.watch.gives_up(waited_s):
            self.pgconn.finish()
            raise psycopg.OperationalError(f"Postgres has not answered for {waited_s:.1f} s")

    def _within_timeout(self, gen: PQGen[RV]) -> PQGen[RV]:
        deadline = monotonic() + self.timeout_s
        try:
            events = next(gen)
            while True:
                ready = yield events
                if not ready:
                    self.check_wait(deadline)
                events = gen.send(ready)
        except StopIteration as end:
            result: RV = end.value
            return result
