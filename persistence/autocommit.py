"""Connections for the statements that are written by hand for psycopg.

They are in autocommit mode: what a pipeline sends between two Syncs is one transaction, committed
by the second. With psycopg's own BEGIN and COMMIT it would be three round trips, since each of them
ends with a Sync. https://www.postgresql.org/docs/current/protocol-flow.html
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

import psycopg
from sqlalchemy import Engine
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from persistence.patience import PatientConnection
from scoring.errors import StoreUnavailable

PostgresConnection = PatientConnection


@contextmanager
def autocommitting(engine: Engine) -> Iterator[PostgresConnection]:
    """A pooled connection in autocommit mode; a transaction left open is rolled back.

    Raises:
        StoreUnavailable: Postgres cannot be reached or broke off.
    """
    try:
        pooled = engine.raw_connection()
    except (psycopg.Error, PoolTimeoutError) as error:
        raise StoreUnavailable("Postgres cannot be reached; nothing was decided.") from error
    connection = cast("PostgresConnection", pooled.driver_connection)
    is_sound = True
    try:
        connection.autocommit = True
        try:
            yield connection
        finally:
            if not connection.closed:
                connection.rollback()  # says nothing to Postgres unless a transaction is open
                connection.autocommit = False
    except psycopg.OperationalError as error:
        is_sound = False
        # Its neighbours in the pool were cut off with it; the next batch connects anew.
        engine.dispose()
        raise StoreUnavailable(
            "Postgres broke off before it confirmed; ask again with the same external_id."
        ) from error
    finally:
        if connection.closed or not is_sound:
            pooled.invalidate()
        pooled.close()
