"""Open a connection, put its settings in force and verify them."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg.abc import AdaptContext
from psycopg.conninfo import make_conninfo

from persistence.connection.causes import connecting, unreadable_host
from persistence.connection.options import settings_in
from persistence.connection.servers import open_first
from persistence.connection.session import check_session, check_version
from persistence.connection.settings import SessionSettings
from persistence.connection.timeout_connection import TimeoutConnection, Watch
from persistence.connection.url import parse_url, with_defaults
from scoring.errors import StoreMisconfigured

_SET_UP_TIMEOUT_S = 5.0
"""Longest wait for a reply while a connection is set up: a pooler accepts clients for which it has
no server connection."""
_CHOICE_S = 1.0
"""Time in which one of several servers has to answer, before they are tried one after another."""
_REPLY_GRACE_S = 1.0
"""Time that Postgres has to report a statement_timeout before the connection is closed."""


class Connector:
    """Opens connections to one database with one set of settings.

    Args:
        url: DATABASE_URL.
        settings: settings of every transaction.
        watch: what ends a wait for a reply before its time-out; None: nothing does.

    Raises:
        DatabaseUrlError: the URL does not name a Postgres database.
    """

    def __init__(self, url: str, settings: SessionSettings, watch: Watch | None = None) -> None:
        self._parameters = parse_url(url)
        self._settings = settings
        self._watch = watch

    def __call__(self, context: AdaptContext | None = None) -> TimeoutConnection:
        """Return an open, verified connection.

        Args:
            context: psycopg's adapters of the connection.

        Raises:
            StoreMisconfigured: a setting, a role or a privilege must be changed first.
            SchemaMissing: the service's role does not exist.
            StoreUnavailable: Postgres is unreachable, or only reads.
        """
        try:
            connection, refused = self._open(context)
            connection.watch = self._watch
            try:
                connection.timeout_s = _SET_UP_TIMEOUT_S
                self._set_up(connection, refused)
                connection.timeout_s = self._settings.statement_timeout_s + _REPLY_GRACE_S
            except BaseException:
                connection.close()
                raise
        except psycopg.Error as error:
            raise connecting(error, self._parameters) from error
        except UnicodeError as error:
            raise unreadable_host(self._parameters) from error
        return connection

    def _open(self, context: AdaptContext | None) -> tuple[TimeoutConnection, str | None]:
        """Return a connection, and the value of `options` where a pooler refused it."""
        parameters = with_defaults(self._parameters)
        if (pgconn := open_first(parameters, _CHOICE_S)) is not None:
            return TimeoutConnection.of(pgconn, context), None
        try:
            return TimeoutConnection.connect(make_conninfo(**parameters), context=context), None
        except psycopg.OperationalError as error:
            if "unsupported startup parameter" not in str(error) or "options" not in str(error):
                raise
            refused = _options(error.pgconn)
        without = make_conninfo(**parameters | {"options": ""})
        return TimeoutConnection.connect(without, context=context), refused

    def _set_up(self, connection: TimeoutConnection, refused: str | None) -> None:
        check_version(connection)
        connection.autocommit = True
        # A pooler answers for many server processes, and gives its clients a number of its own.
        (server_pid,) = connection.execute("SELECT pg_backend_pid()").fetchone() or (None,)
        if refused is None and server_pid == connection.pgconn.backend_pid:
            connection.execute(self._settings.as_sql({}, is_local=False))
            connection.autocommit = False
        else:
            options = _options(connection.pgconn) if refused is None else refused
            connection.pooled_with(self._settings.as_sql(_settings_in(options), is_local=True))
        connection.settings = self._settings
        check_session(connection, self._settings)
        connection.rollback()


def _options(pgconn: Any) -> str:  # noqa: ANN401 - open or finished
    """Return `options` as libpq took it from the URL, the environment or a service file."""
    for option in pgconn.info if pgconn else ():
        if option.keyword == b"options" and option.val:
            return str(option.val.decode())
    return ""


def _settings_in(options: str) -> dict[str, str]:
    try:
        return settings_in(options)
    except ValueError as error:
        raise StoreMisconfigured(
            f"A pooler does not pass options of DATABASE_URL to Postgres, and {error}."
        ) from error
