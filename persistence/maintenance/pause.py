"""Run work for which scoring has to wait, within a pause that bounds the wait.

It waits for a lock no longer than LOCK_TIMEOUT_MS, because other statements queue behind it, and is
then tried again. It lasts no longer than a pause that the operator may set; otherwise Postgres
rolls it back.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from psycopg import errors
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from persistence.maintenance.errors import MaintenanceError, PauseTooShort

PAUSE_S = 3.0
"""Shorter than the service's statement_timeout, so that requests wait and none fails."""
LOCK_TIMEOUT_MS = 500
_ATTEMPTS = 20
_BETWEEN_ATTEMPTS_S = 1.0

T = TypeVar("T")


def run_within(pause_s: float, connection: Connection, work: Callable[[], T]) -> T:
    """Run work that stops scoring, in one transaction; try again where a lock is not free.

    Args:
        pause_s: longest time that the transaction may last, seconds.
        connection: connection without a transaction.
        work: function that does the work on the connection.

    Raises:
        PauseTooShort: the work takes longer.
        MaintenanceError: a lock was not free in any attempt.
    """
    for attempt in range(_ATTEMPTS):
        if attempt:
            time.sleep(_BETWEEN_ATTEMPTS_S)
        begun_s = time.monotonic()
        try:
            with connection.begin():
                connection.execute(text(f"SET LOCAL lock_timeout = {LOCK_TIMEOUT_MS}"))
                connection.execute(text(f"SET LOCAL transaction_timeout = {pause_s * 1e3:.0f}"))
                return work()
        except DBAPIError as error:
            # Postgres ends the connection with the transaction, and the reason may be lost.
            cut_off = error.connection_invalidated and time.monotonic() - begun_s >= pause_s
            if cut_off or isinstance(error.orig, errors.TransactionTimeout):
                raise PauseTooShort(
                    f"Scoring would have to wait longer than {pause_s:g} s, so nothing was changed."
                ) from error
            if not isinstance(error.orig, errors.LockNotAvailable | errors.DeadlockDetected):
                raise
    raise MaintenanceError(
        f"The tables could not be locked in {_ATTEMPTS} attempts of {LOCK_TIMEOUT_MS} ms;"
        " end the transactions that have long been open, and run the command again."
    )
