"""Pooled connections for hand-written statements on psycopg or libpq.

The statements of a pipeline between two Syncs are one transaction, which the second Sync commits,
unless one of them is BEGIN: https://www.postgresql.org/docs/current/protocol-flow.html. psycopg's
own BEGIN and COMMIT each end with a Sync and would make it three round trips, so psycopg's
statements are sent in autocommit mode. libpq has no such mode, and a batch of decisions does not
set it: setting it, unsetting it and SQLAlchemy's reset of idle connections took 3 % of the time to
score one payment.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

from psycopg.pq import TransactionStatus
from sqlalchemy import Engine

from persistence.connection.timeout_connection import TimeoutConnection
from persistence.errors import translate_errors
from scoring.errors import StoreUnavailable

PostgresConnection = TimeoutConnection


@contextmanager
def implicit_transaction(connection: PostgresConnection) -> Iterator[None]:
    """Send the block's statements in one round trip; they are one transaction, or join an open one.

    Behind a pooler the transaction is explicit and takes several round trips, since its settings
    come first.
    """
    if connection.pgconn.transaction_status == TransactionStatus.IDLE:
        if connection.pooled_settings is not None:
            with connection.transaction():
                yield
            return
        connection.autocommit = True
    with connection.pipeline():
        yield


@contextmanager
def driver_connection(engine: Engine) -> Iterator[PostgresConnection]:
    """Yield a pooled connection; afterwards roll back an open transaction, end autocommit mode.

    Raises:
        StoreUnavailable: Postgres is unreachable, or the connection broke.
    """
    away = "Postgres cannot be reached; nothing was decided."
    try:
        with translate_errors(away):
            pooled = engine.raw_connection()
    except StoreUnavailable as error:
        error.detail = away
        raise
    connection = cast("PostgresConnection", pooled.driver_connection)
    is_sound = True
    try:
        with translate_errors(
            "The connection to Postgres broke before the commit was confirmed;"
            " send the request again with the same external_id."
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
        # The other idle connections broke with it; the next batch opens new ones.
        engine.dispose()
        raise
    finally:
        if connection.closed or not is_sound:
            pooled.invalidate()
        pooled.close()
