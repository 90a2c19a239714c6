"""Connections for the statements that are written by hand for psycopg or libpq.

What a pipeline sends between two Syncs is one transaction, committed by the second, unless it
begins one: https://www.postgresql.org/docs/current/protocol-flow.html. With psycopg's own BEGIN and
COMMIT it would be three round trips, since each of them ends with a Sync; so psycopg's statements
are sent in autocommit mode. libpq knows no such mode, and a batch of decisions does without: to
set it, unset it and have SQLAlchemy reset what is at rest was 3 % of a single /score.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

import psycopg
from sqlalchemy import Engine
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from persistence.timeout_connection import TimeoutConnection
from scoring.errors import StoreUnavailable

PostgresConnection = TimeoutConnection


@contextmanager
def driver_connection(engine: Engine) -> Iterator[PostgresConnection]:
    """A pooled connection; a transaction left open is rolled back, autocommit mode is left.

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
        try:
            yield connection
        finally:
            if not connection.closed:
                connection.rollback()  # says nothing to Postgres unless a transaction is open
                if connection.autocommit:
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
