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
"""For migrations and maintenance, whose long statements block nobody."""
POOL_WAIT_S = 2.0

_ANSWER_GRACE_S = 1.0
"""After its statement_timeout Postgres has this long to say so; then it counts as gone."""
# A peer whose kernel is gone is noticed by ours; ignored on a unix socket. Long statements are
# silent for as long as they take, so an idle line is probed instead of given up.
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
    """Return a lazily connecting pool.

    Args:
        url: `postgresql://...`, as psycopg and `psql` take it.
        pool_size: connections that are kept; no more are opened.
        role: what every connection acts as, of which the URL's login has to be a member.
        statement_timeout_s: after which Postgres cancels a statement, and after which, with a
            second's grace, a connection that got no answer is closed.

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
            f"DATABASE_URL begins with {parsed.drivername}://; it has to be a postgresql:// URL"
        )
    options = f"-c statement_timeout={statement_timeout_s * 1e3:.0f} -c timezone=UTC"
    engine = create_engine(
        parsed.set(drivername="postgresql+psycopg"),
        poolclass=CountingPool,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=POOL_WAIT_S,
        pool_recycle=1800,
        # A single client meets one server process, whose caches are warm: 0.07 of 0.68 ms a
        # decision.
        pool_use_lifo=True,
        # Whoever borrows one ends the transaction: SQLAlchemy's connections and `driver_connection`
        # both do.
        pool_reset_on_return=None,
        connect_args={
            "connect_timeout": CONNECT_TIMEOUT_S,
            "application_name": "sentinel",
            "options": f"{options} -c role={role}" if role else options,
            **_DEAD_NETWORK,
        },
    )
    connect = connect_with_timeout(statement_timeout_s + _ANSWER_GRACE_S)
    event.listen(engine, "do_connect", lambda _d, _r, args, named: connect(*args, **named))
    return engine


@contextmanager
def transaction(engine: Engine) -> Iterator[Connection]:
    """Commit when the block ends well, roll back when it raises.

    Raises:
        StoreUnavailable: Postgres could not be reached, broke off, or lacks the schema.
    """
    with translate_errors(), engine.begin() as connection:
        yield connection
