"""Run prepared statements in one round trip, with libpq's pipeline mode.

Behind a pooler they are not prepared, and the connection's settings precede them in the round trip.

The statements before a Sync are one implicit transaction, unless one of them is BEGIN:
https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-PIPELINING and
https://www.postgresql.org/docs/current/libpq-pipeline-mode.html

psycopg's own pipeline does the same with Python generators and finds prepared statements by their
text: 0.37 ms of CPU for a single decision against 0.14 ms here (docs/decisions/0009).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from select import POLLIN, POLLOUT
from time import monotonic

from psycopg import errors
from psycopg.pq import ExecStatus
from psycopg.pq.abc import PGconn, PGresult

from persistence.connection.timeout_connection import TimeoutConnection
from persistence.pipeline.io_loop import Steps, on_loop, on_thread

_BINARY = 1
_CHECK_EVERY_S = 0.1
"""Time without a reply after which the wait may end, as in psycopg's own waits."""
_LARGE_BYTES = 16_384
"""Size of parameters from which a call is sent at once, so that Postgres starts on it."""


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement with `$1`, `$2` ... for parameters in binary form.

    Attributes:
        name: name of the prepared statement, unique in a connection.
        sql: text of one statement.
        types: oids of the parameters' types in `pg_type`.
    """

    name: bytes
    sql: bytes
    types: tuple[int, ...] = ()


Call = tuple[Statement, Sequence[bytes]]
"""A statement and its parameters."""


def idle() -> None:
    """Do nothing while Postgres works."""


def round_trip(
    connection: TimeoutConnection,
    statements: Sequence[Statement],
    calls: Iterable[Call],
    meanwhile: Callable[[], None] = idle,
) -> list[PGresult]:
    """Run calls in order until one fails.

    Args:
        connection: connection that runs them.
        statements: statements that the calls use; those not prepared yet are prepared first.
        calls: statements with parameters; an iterator is advanced while Postgres runs the calls
            before.
        meanwhile: function that is called after everything is sent, while Postgres works; called
            twice at most.

    Returns:
        The result of each call, in binary form.

    Raises:
        psycopg.OperationalError: the connection broke, or there was no reply in time; it is closed.
        psycopg.Error: Postgres refuses a statement; an implicit transaction is rolled back.
    """
    sent: list[Call] = []
    socket = connection.pgconn.socket
    try:
        return on_thread(_run(connection, statements, _recorded(calls, sent), meanwhile), socket)
    except errors.InvalidSqlStatementName:
        # After a ROLLBACK psycopg deallocates all prepared statements of the connection.
        connection.rollback()  # sends nothing unless a transaction is open
        connection.execute("DEALLOCATE ALL")  # statements prepared since
        connection.commit()  # the calls must not run in the transaction that psycopg has begun
        connection.prepared.clear()
        return on_thread(_run(connection, statements, sent, meanwhile), socket)


async def round_trip_on_loop(
    connection: TimeoutConnection,
    statements: Sequence[Statement],
    calls: Iterable[Call],
    meanwhile: Callable[[], None] = idle,
) -> list[PGresult]:
    """Do as `round_trip` does, on the running event loop.

    Raises:
        psycopg.errors.InvalidSqlStatementName: prepared statements were deallocated;
            `round_trip` prepares them again.
        psycopg.Error: as for `round_trip`.
    """
    steps = _run(connection, statements, calls, meanwhile)
    return await on_loop(steps, connection.pgconn.socket)


def in_transaction(connection: TimeoutConnection, call: Call) -> PGresult:
    """Run a statement in the open transaction of a connection, without preparing it.

    Args:
        connection: connection with an open transaction.
        call: statement with its parameters.

    Raises:
        psycopg.OperationalError: the connection broke, or there was no reply in time; it is closed.
        psycopg.Error: Postgres refuses the statement.
    """
    (result,) = on_thread(_run_unnamed(connection, call), connection.pgconn.socket)
    return result


def _run_unnamed(connection: TimeoutConnection, call: Call) -> Steps[list[PGresult]]:
    try:
        connection.pgconn.enter_pipeline_mode()
        _send_unnamed(connection.pgconn, *call)
        results = yield from _synchronized(connection, idle)
    except BaseException:
        connection.pgconn.finish()
        raise
    _raise_failure(results)
    return results


def _recorded(calls: Iterable[Call], sent: list[Call]) -> Iterator[Call]:
    for call in calls:
        sent.append(call)
        yield call


def _run(
    connection: TimeoutConnection,
    statements: Sequence[Statement],
    calls: Iterable[Call],
    meanwhile: Callable[[], None],
) -> Steps[list[PGresult]]:
    pgconn = connection.pgconn
    settings = connection.pooled_settings
    try:
        if settings is None:
            known = connection.prepared
            if new := [statement for statement in statements if statement.name not in known]:
                yield from _prepare(connection, new)
            send = _send_prepared
        else:
            # The next transaction may run on another server connection, with other prepared
            # statements or with one of the same name.
            send = _send_unnamed
        pgconn.enter_pipeline_mode()
        if settings is not None:
            pgconn.send_query_params(settings, None)
        for statement, parameters in calls:
            send(pgconn, statement, parameters)
            if sum(map(len, parameters)) > _LARGE_BYTES:
                yield from _flush(connection, monotonic() + connection.timeout_s)
        results = yield from _synchronized(connection, meanwhile)
    except BaseException:
        pgconn.finish()  # replies may still be in flight
        raise
    _raise_failure(results)
    return results if settings is None else results[1:]


def _send_prepared(pgconn: PGconn, statement: Statement, parameters: Sequence[bytes]) -> None:
    formats = [_BINARY] * len(parameters)
    pgconn.send_query_prepared(statement.name, parameters, formats, _BINARY)


def _send_unnamed(pgconn: PGconn, statement: Statement, parameters: Sequence[bytes]) -> None:
    formats = [_BINARY] * len(parameters)
    pgconn.send_query_params(statement.sql, parameters, statement.types, formats, _BINARY)


def _prepare(connection: TimeoutConnection, statements: Sequence[Statement]) -> Steps[None]:
    connection.pgconn.enter_pipeline_mode()
    for statement in statements:
        connection.pgconn.send_prepare(statement.name, statement.sql, statement.types)
    _raise_failure((yield from _synchronized(connection, idle)))
    connection.prepared.update(statement.name for statement in statements)


def _synchronized(
    connection: TimeoutConnection, meanwhile: Callable[[], None]
) -> Steps[list[PGresult]]:
    """Send a Sync, return the results that precede its reply, and end pipeline mode."""
    pgconn = connection.pgconn
    pgconn.pipeline_sync()
    deadline = monotonic() + connection.timeout_s
    yield from _flush(connection, deadline)
    meanwhile()
    results: list[PGresult] = []
    while True:
        while pgconn.is_busy():
            yield from _await(connection, POLLIN, deadline)
        result = pgconn.get_result()
        if result is None:
            continue  # the end of one statement's results
        if result.status == ExecStatus.PIPELINE_SYNC:
            pgconn.exit_pipeline_mode()
            return results
        results.append(result)


def _flush(connection: TimeoutConnection, deadline: float) -> Steps[None]:
    """Write libpq's output buffer to the socket; wait only where the socket's buffer is full."""
    while connection.pgconn.flush():
        # Postgres may send results before it has read everything.
        yield from _await(connection, POLLIN | POLLOUT, deadline)


def _await(connection: TimeoutConnection, events: int, deadline: float) -> Steps[None]:
    left_s = deadline - monotonic()
    if left_s <= 0:
        raise connection.close_after_timeout()
    ready = yield events, min(left_s, _CHECK_EVERY_S)
    if ready & ~POLLOUT:
        connection.pgconn.consume_input()  # raises where the connection is lost
    elif not ready:
        connection.check_wait(deadline)


def _raise_failure(results: Sequence[PGresult]) -> None:
    # The results after the first failure report only that the calls were skipped.
    for result in results:
        if result.status == ExecStatus.FATAL_ERROR:
            raise errors.error_from_result(result)
