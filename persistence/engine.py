"""The connection pool, and a transaction on one of its connections."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError

from persistence.errors import translate_errors
from persistence.pool import CountingPool
from persistence.timeout_connection import connect_with_timeout
from scoring.errors import CommandError

POOL_SIZE = 5
CONNECT_TIMEOUT_S = 3
STATEMENT_TIMEOUT_S = 5.0
OPERATOR_TIMEOUT_S = 900.0
"""Time-out for migrations and maintenance, whose long statements block no request."""
POOL_WAIT_S = 2.0

_REPLY_GRACE_S = 1.0
"""Time that Postgres has to report a statement_timeout before the connection is closed."""
# The local kernel detects a peer whose kernel is gone; ignored on a unix socket. Long statements
# send nothing while they run, so an idle connection is probed, not closed.
_DEAD_NETWORK = {
    "tcp_user_timeout": 5_000,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
}


class DatabaseUrlError(CommandError, ValueError):
    """DATABASE_URL is not a Postgres URL; the message shows no password."""


def open_database(
    url: str,
    *,
    pool_size: int = POOL_SIZE,
    role: str | None = None,
    statement_timeout_s: float = STATEMENT_TIMEOUT_S,
) -> Engine:
    """Return a connection pool that opens connections on first use.

    Args:
        url: `postgresql://...` in the form of psycopg and `psql`.
        pool_size: largest number of connections.
        role: role of every connection; the URL's login must be a member. None keeps the login's.
        statement_timeout_s: seconds until Postgres cancels a statement; a connection without a
            reply is closed a second later.

    Raises:
        DatabaseUrlError: the URL does not name a Postgres database.
    """
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise DatabaseUrlError("DATABASE_URL is not a URL such as postgresql://user@host/db") from (
            error
        )
    if parsed.drivername not in {"postgresql", "postgres", "postgresql+psycopg"}:
        raise DatabaseUrlError(
            f"DATABASE_URL begins with {parsed.drivername}://; it must be a postgresql:// URL"
        )
    options = f"-c statement_timeout={statement_timeout_s * 1e3:.0f} -c timezone=UTC"
    engine = create_engine(
        parsed.set(drivername="postgresql+psycopg"),
        poolclass=CountingPool,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=POOL_WAIT_S,
        pool_recycle=1800,
        # A single client reuses one server process, whose caches are warm: saves 0.07 of 0.68 ms
        # a decision.
        pool_use_lifo=True,
        # SQLAlchemy's connections and `driver_connection` both end the transaction before they
        # return a connection.
        pool_reset_on_return=None,
        connect_args={
            "connect_timeout": CONNECT_TIMEOUT_S,
            "application_name": "sentinel",
            "options": f"{options} -c role={role}" if role else options,
            **_DEAD_NETWORK,
        },
    )
    connect = connect_with_timeout(statement_timeout_s + _REPLY_GRACE_S)
    event.listen(engine, "do_connect", lambda _d, _r, args, named: connect(*args, **named))
    return engine


@contextmanager
def transaction(engine: Engine) -> Iterator[Connection]:
    """Yield a transaction; commit when the block ends, roll back when it raises.

    Raises:
        StoreUnavailable: Postgres is unreachable, the connection broke, or the schema is missing.
    """
    with translate_errors(), engine.begin() as connection:
        yield connection
