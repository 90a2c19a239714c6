"""Connections for the statements that are written by hand for psycopg or libpq.

What a pipeline sends between two Syncs is one transaction, committed by the second, unless it
begins one: https://www.postgresql.org/docs/current/protocol-flow.html. With psycopg's own BEGIN and
COMMIT it would be three round trips, since each of them ends with a Sync; so psycopg's statements
are sent in autocommit mode. libpq knows no such mode, and a batch of decisions does without: to
set it, unset it and have SQLAlchemy reset idle connections was 3 % of scoring one payment.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

from sqlalchemy import Engine

from persistence.errors import translate_errors
from persistence.timeout_connection import TimeoutConnection
from scoring.errors import StoreUnavailable

PostgresConnection = TimeoutConnection


@contextmanager
def driver_connection(engine: Engine) -> Iterator[PostgresConnection]:
    """Yield a pooled connection; roll back an open transaction, leave autocommit mode.

    Raises:
        StoreUnavailable: Postgres cannot be reached or broke off.
    """
    with translate_errors("Postgres cannot be reached; nothing was decided."):
        pooled = engine.raw_connection()
    connection = cast("PostgresConnection", pooled.driver_connection)
    is_sound = True
    try:
        with translate_errors(
            "Postgres broke off before it confirmed; ask again with the same external_id."
        ):
            try:
                yield connection
            finally:
                if not connection.closed:
                    connection.rollback()  # sends nothing unless a transaction is open
                    if connection.autocommit:
                        connection.autocommit = False
    except StoreUnavailable:
        is_sound = False
        # The other idle connections were cut off with it; the next batch opens new ones.
        engine.dispose()
        raise
    finally:
        if connection.closed or not is_sound:
            pooled.invalidate()
        pooled.close()
