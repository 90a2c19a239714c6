"""Look whether Postgres answers, within a fraction of a second.

libpq's own time-out of a connection is at least 2 s:
https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNECT-CONNECT-TIMEOUT
"""

from __future__ import annotations

from select import POLLIN, POLLOUT, poll
from time import monotonic

import psycopg
from psycopg.conninfo import make_conninfo
from psycopg.pq import ConnStatus, ExecStatus, PGconn, PollingStatus
from psycopg.pq.abc import PGconn as AnyPGconn

from persistence.connection.causes import connecting
from persistence.connection.servers import EVENTS, open_first
from persistence.connection.url import parse_url, with_defaults
from scoring.errors import StoreUnavailable


def look(url: str, within_s: float) -> StoreUnavailable | None:
    """Open a connection of its own and run one statement; return why that failed, or None.

    Args:
        url: DATABASE_URL.
        within_s: time for all of it, seconds; with several servers, time of the choice among them,
            and then of the statement.
    """
    parameters = parse_url(url)
    asked = with_defaults(parameters)
    began_s = monotonic()
    pgconn = open_first(asked, within_s)
    if pgconn is None:
        if monotonic() - began_s >= within_s:
            return connecting(psycopg.OperationalError("timeout expired"), parameters)
        pgconn = PGconn.connect_start(make_conninfo(**asked).encode())
    try:
        _ask(pgconn, monotonic() + within_s)
    except psycopg.Error as error:
        return connecting(error, parameters)
    finally:
        pgconn.finish()
    return None


def _ask(pgconn: AnyPGconn, deadline: float) -> None:
    if pgconn.status != ConnStatus.BAD:
        pgconn.nonblocking = 1
        while (status := PollingStatus(pgconn.connect_poll())) in EVENTS:
            _wait(pgconn, EVENTS[status], deadline)
    if pgconn.status != ConnStatus.OK:
        raise psycopg.OperationalError(pgconn.error_message.decode(errors="replace"))
    pgconn.send_query(b"SELECT 1")
    while pgconn.flush():
        _wait(pgconn, POLLIN | POLLOUT, deadline)
    while pgconn.is_busy():
        _wait(pgconn, POLLIN, deadline)
        pgconn.consume_input()
    result = pgconn.get_result()
    if result is None or result.status != ExecStatus.TUPLES_OK:
        raise psycopg.OperationalError(pgconn.error_message.decode(errors="replace"))


def _wait(pgconn: AnyPGconn, events: int, deadline: float) -> None:
    poller = poll()
    poller.register(pgconn.socket, events)
    if not poller.poll(max(0.0, deadline - monotonic()) * 1e3):
        raise psycopg.OperationalError("timeout expired")
