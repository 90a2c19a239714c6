"""Why Postgres does not serve this process: one sentence a cause, without the password.

libpq reports a failed connection as text without a SQLSTATE, so its messages are recognised by
their words; one that is not recognised is quoted. A failed statement has a SQLSTATE:
https://www.postgresql.org/docs/current/errcodes-appendix.html
"""

from __future__ import annotations

import re

import psycopg
from psycopg import errors

from persistence.connection.url import Parameters
from scoring.errors import SchemaMissing, StoreBusy, StoreMisconfigured, StoreUnavailable

UNREACHABLE = "Postgres cannot be reached; try again shortly."

_SETTING, _AWAY = True, False
_CONNECTING: tuple[tuple[str, str, bool], ...] = (
    # Pattern of the message, sentence, whether a setting must be changed before a retry.
    (
        r"password authentication failed|SASL authentication failed|wrong password"
        r"|no password supplied|(?:Peer|Ident|LDAP|PAM|GSSAPI|certificate) authentication failed"
        r"|no such user|auth failed|not permitted to log in|role \"[^\"]*\" does not exist",
        "Postgres refuses the login at {where} ({message}): check user and password in"
        " DATABASE_URL.",
        _SETTING,
    ),
    (
        r"database \"[^\"]*\" does not exist|no such database",
        "There is no such database at {where} ({message}): check its name in DATABASE_URL, or"
        " create it.",
        _SETTING,
    ),
    (
        r"permission denied for database|not currently accepting connections",
        "The login may not connect to the database at {where} ({message}): GRANT CONNECT ON"
        " DATABASE to it.",
        _SETTING,
    ),
    (
        r"no pg_hba\.conf entry .*no encryption|pg_hba\.conf rejects .*no encryption|SSL required",
        "Postgres at {where} does not admit this login without TLS ({message}): set"
        " sslmode=verify-full in DATABASE_URL, or change pg_hba.conf.",
        _SETTING,
    ),
    (
        r"no pg_hba\.conf entry|pg_hba\.conf rejects",
        "Postgres at {where} does not admit this login from here ({message}): change pg_hba.conf.",
        _SETTING,
    ),
    (
        r"does not support SSL|SSL is not enabled|SSL support is not",
        "Postgres at {where} offers no TLS and DATABASE_URL requires it: switch ssl on there, or"
        " change sslmode.",
        _SETTING,
    ),
    (
        r"(?:root )?certificate file .*(?:does not exist|not read)|could not read root certificate"
        r"|could not open certificate file|root\.crt",
        "The certificate file for TLS cannot be read ({message}): check sslrootcert and sslcert in"
        " DATABASE_URL.",
        _SETTING,
    ),
    (
        r"certificate verify failed|self.signed certificate|does not match host name"
        r"|requires a valid client certificate|certificate required|private key file"
        r"|certificate has expired|certificate revoked",
        "TLS with Postgres at {where} fails ({message}): check sslmode, sslrootcert, sslcert and"
        " sslkey in DATABASE_URL, and the server's certificate.",
        _SETTING,
    ),
    (
        r"invalid response to SSL negotiation|expected authentication request"
        r"|invalid response to GSS",
        "The server at {where} is not a Postgres: check host and port in DATABASE_URL.",
        _SETTING,
    ),
    (
        r"unsupported startup parameter",
        "A pooler at {where} does not take a parameter ({message}): remove it from DATABASE_URL or"
        " from the PG* variables.",
        _SETTING,
    ),
    (
        r"unrecognized configuration parameter|invalid value for parameter|permission denied to set"
        r"|cannot be changed|invalid command-line argument",
        "Postgres at {where} refuses an option ({message}): check options in DATABASE_URL.",
        _SETTING,
    ),
    (
        r"transaction blocks not allowed",
        "The pooler at {where} works per statement: set pool_mode to transaction or session.",
        _SETTING,
    ),
    (
        r"definition of service|service file|could not match|invalid \w+ value|invalid integer"
        r"|invalid port number|invalid connection option|must not be|is not supported by this",
        "DATABASE_URL cannot be used ({message}).",
        _SETTING,
    ),
    (
        r"failed to resolve host|could not translate host name",
        "Postgres cannot be reached: the host name in {where} has no address (DNS).",
        _AWAY,
    ),
    (
        r"too many clients|too many connections|connection slots are reserved"
        r"|no more connections allowed",
        "Postgres at {where} has no connection left ({message}): raise max_connections, or lower"
        " the number of processes.",
        _AWAY,
    ),
    (
        r"starting up|shutting down|in recovery mode|not yet accepting|not accepting connections"
        r"|terminating connection",
        "Postgres at {where} is starting or stopping ({message}).",
        _AWAY,
    ),
    (
        r"session is read-only|hot standby mode|server is in hot standby|read-only",
        "Postgres only reads: every server at {where} is a standby.",
        _AWAY,
    ),
    (
        r"Connection refused",
        "Postgres cannot be reached: nothing listens at {where}.",
        _AWAY,
    ),
    (
        r"No such file or directory|on socket .*Permission denied",
        "Postgres cannot be reached: there is no socket that this process may use at {where}; start"
        " Postgres (that of the demo runs while `make demo` does), or check DATABASE_URL.",
        _AWAY,
    ),
    (
        r"timeout expired|timed out|did not answer within",
        "Postgres cannot be reached: no answer from {where} in time.",
        _AWAY,
    ),
    (
        r"unreachable|No route to host",
        "Postgres cannot be reached: there is no route to {where}.",
        _AWAY,
    ),
    (
        r"cannot connect to server|server_login_retry|query_wait_timeout|server login"
        r"|server conn crashed",
        "The pooler at {where} does not reach Postgres ({message}).",
        _AWAY,
    ),
)
_ATTEMPT = re.compile(r"^- host: .*?, hostaddr: (?:'[^']*'|None): ", re.MULTILINE)


def connecting(error: psycopg.Error, parameters: Parameters) -> StoreUnavailable:
    """Return the error of a connection that could not be opened.

    Args:
        error: error of the driver.
        parameters: connection parameters.
    """
    if isinstance(error, errors.InsufficientPrivilege) and "set role" in str(error):
        return StoreMisconfigured(
            f"The login may not act as the service ({_first_line(error)}): run GRANT"
            " sentinel_service TO it."
        )
    if isinstance(error, errors.InvalidParameterValue) and "role" in str(error):
        return SchemaMissing(_first_line(error))
    if error.sqlstate and not isinstance(error, psycopg.OperationalError):
        return StoreMisconfigured(
            f"Postgres at {_where(parameters)} refuses a setting ({_first_line(error)}): check"
            " options in DATABASE_URL."
        )
    if isinstance(error, psycopg.ProgrammingError):
        return StoreMisconfigured(f"DATABASE_URL cannot be used ({_first_line(error)}).")
    text = _without_password(str(error), parameters)
    attempts = _ATTEMPT.split(text)[1:] or [text]
    found = dict(_sentence(attempt, parameters) for attempt in attempts)
    reason = " ".join(found)
    # Of several servers, one that is away may be the one that would serve.
    if all(found.values()):
        return StoreMisconfigured(reason)
    return StoreUnavailable(UNREACHABLE, reason=reason)


def unreadable_host(parameters: Parameters) -> StoreMisconfigured:
    """Return the error of a host name that DNS does not allow, such as one with an empty label."""
    return StoreMisconfigured(
        f"The host in {_where(parameters)} is not a host name: check it in DATABASE_URL."
    )


def running(error: psycopg.Error, detail: str) -> StoreUnavailable | None:
    """Return the error of a statement that Postgres did not run; None where it refuses its values.

    Args:
        error: error of the driver.
        detail: sentence for callers where the connection broke.
    """
    line = _first_line(error)
    match error:
        case errors.UndefinedTable() | errors.UndefinedColumn() | errors.UndefinedFunction():
            return SchemaMissing(line)
        case errors.InvalidSchemaName():
            return StoreMisconfigured(
                f"No schema of search_path exists ({line}): create it, or change options in"
                " DATABASE_URL."
            )
        # Row-level security refuses rows with the same code.
        case errors.InsufficientPrivilege() if "row-level security" not in line:
            return StoreMisconfigured(
                f"Postgres denies the login this ({line}): set DATABASE_URL to the role that owns"
                " the tables, or run `sentinel db upgrade`, which grants the service its rights."
            )
        case errors.ReadOnlySqlTransaction():
            return StoreUnavailable(
                "Postgres only reads; try again shortly.",
                reason=f"Postgres only reads, as a standby does ({line}).",
            )
        case errors.DiskFull():
            return StoreUnavailable(
                "Postgres has no space left; try again shortly.",
                reason=f"The disk of Postgres is full ({line}): make room there.",
            )
        case errors.QueryCanceled() | errors.LockNotAvailable() | errors.TransactionTimeout():
            return StoreBusy(
                "Postgres took too long; try again shortly.",
                reason=f"Postgres took too long ({line}).",
            )
        case errors.InvalidSqlStatementName():
            return StoreBusy(
                "Postgres has forgotten its prepared statements; try again shortly.",
                reason=f"Postgres has forgotten its prepared statements ({line}): a pooler between"
                " Postgres and this process resets sessions.",
            )
    if not isinstance(error, psycopg.OperationalError):
        return None
    return StoreUnavailable(detail, reason=f"{detail.rstrip('.')} ({line}).")


def _sentence(attempt: str, parameters: Parameters) -> tuple[str, bool]:
    message = _message(attempt)
    for pattern, sentence, is_setting in _CONNECTING:
        if re.search(pattern, attempt, re.DOTALL | re.IGNORECASE):
            return sentence.format(where=_where(parameters), message=message), is_setting
    return f"Postgres cannot be reached at {_where(parameters)}: {message}.", _AWAY


def _message(attempt: str) -> str:
    """Return the last part of a message, after the address that libpq puts before it."""
    line = attempt.strip().partition("\n")[0]
    for mark in ("FATAL:", "ERROR:", " failed: ", "connection is bad: ", "connection failed: "):
        line = line.rpartition(mark)[2]
    return line.strip().rstrip(".")


def _first_line(error: psycopg.Error) -> str:
    """Return the first line of an error; those that follow may quote a row."""
    return str(error).strip().partition("\n")[0].rstrip(".")


def _where(parameters: Parameters) -> str:
    hosts = parameters.get("host") or parameters.get("hostaddr") or ""
    if not hosts and "service" in parameters:
        return f"the service {parameters['service']}"
    if not hosts:
        return "the default address"
    ports = parameters.get("port", "").split(",")
    ports = ports * len(hosts.split(",")) if len(ports) == 1 else ports
    return ", ".join(
        host if not port else f"{host}:{port}"
        for host, port in zip(hosts.split(","), ports, strict=False)
    )


def _without_password(text: str, parameters: Parameters) -> str:
    for name in ("password", "sslpassword"):
        if parameters.get(name):
            text = text.replace(parameters[name], "***")
    return text
