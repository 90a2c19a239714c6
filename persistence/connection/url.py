"""Read DATABASE_URL with libpq's own parser, so that it means here what it means to `psql`.

https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING. What the parser refuses
becomes a sentence that quotes no value, since a value may be a piece of the password.
"""

from __future__ import annotations

import os
import re

import psycopg
from psycopg.pq import Conninfo

from scoring.errors import CommandError

CONNECT_TIMEOUT_S = 3

Parameters = dict[str, str]
"""Connection parameters by libpq's keywords; libpq adds those of the environment and of a service
file."""

_OWN_DEFAULTS = {
    "connect_timeout": str(CONNECT_TIMEOUT_S),
    "fallback_application_name": "sentinel",
    # The local kernel detects a peer whose kernel is gone; ignored on a unix socket. Long
    # statements send nothing while they run, so an idle connection is probed, not closed.
    "tcp_user_timeout": "5000",
    "keepalives_idle": "5",
    "keepalives_interval": "2",
    "keepalives_count": "3",
}
_SCHEMES = {"postgresql", "postgres", "postgresql+psycopg"}
_SCHEME = re.compile(r"([A-Za-z][\w+.:-]*)://")
_FORM = "such as postgresql://user:password@host:5432/database"
_RESERVED = "percent-encode it: @ is %40, / is %2F, : is %3A, ? is %3F, # is %23, % is %25"
_HINTS = {
    "pgbouncer": "a pooler is recognised by itself",
    "schema": "a schema is set with options=-csearch_path%3DNAME",
    "currentSchema": "a schema is set with options=-csearch_path%3DNAME",
    "search_path": "it is set with options=-csearch_path%3DNAME",
    "statement_timeout": "Sentinel sets it",
    "ssl": "TLS is set with sslmode=require or sslmode=verify-full",
}
_REFUSALS = (
    ("missing key/value separator", "has a parameter after ? without a value; write name=value"),
    ("extra key/value separator", "has a parameter with a second =; write it as %3D"),
    ("invalid percent-encoded token", "has a % without two hexadecimal digits; write it as %25"),
    ("forbidden value %00", "contains %00, which Postgres cannot store"),
    ("unexpected spaces", "contains a space; write it as %20"),
    ("IPv6", "has an IPv6 address without its brackets, such as [::1]"),
    ("unterminated quoted string", "has a quote that does not end"),
)


class DatabaseUrlError(CommandError, ValueError):
    """DATABASE_URL is not a Postgres URL; the message shows no password."""


def parse_url(url: str) -> Parameters:
    """Return the connection parameters that a URL names.

    Args:
        url: `postgresql://...` or `name=value ...`, as for `psql`; the schemes `postgres` and
            `postgresql+psycopg` mean the same.

    Raises:
        DatabaseUrlError: libpq cannot read it; the message shows no password.
    """
    text = _normal(url.strip())
    try:
        options = Conninfo.parse(text.encode())
    except UnicodeEncodeError:
        raise DatabaseUrlError("DATABASE_URL is not valid UTF-8.") from None
    except psycopg.OperationalError as error:
        # Without its cause: libpq quotes the part that it cannot read, which may be the password.
        raise DatabaseUrlError(f"DATABASE_URL {_refusal(str(error), text)}.") from None
    parameters = {o.keyword.decode(): o.val.decode() for o in options if o.val is not None}
    for port in parameters.get("port", "").split(","):
        if port and not (port.isascii() and port.isdigit() and 0 < int(port) < 65_536):
            raise DatabaseUrlError(
                "DATABASE_URL has a port that is not a number from 1 to 65535; where it is a part"
                f" of the password, {_RESERVED}."
            )
    return parameters


def with_defaults(parameters: Parameters) -> Parameters:
    """Return the parameters with Sentinel's defaults for those that nobody has set."""
    variables = {o.keyword.decode(): o.envvar.decode() for o in Conninfo.get_defaults() if o.envvar}
    defaults = dict(_OWN_DEFAULTS)
    if "," in (parameters.get("host") or os.environ.get("PGHOST", "")):
        # Of several servers only the primary accepts decisions.
        defaults["target_session_attrs"] = "read-write"
    kept = {n: value for n, value in defaults.items() if variables.get(n, "") not in os.environ}
    # Decisions are sent as UTF-8, whatever the environment says.
    return kept | parameters | {"client_encoding": "UTF8"}


def _normal(text: str) -> str:
    """Return the URL in a form that libpq takes.

    Raises:
        DatabaseUrlError: it is the URL of something else, or libpq would read it another way than
            its author.
    """
    scheme = _SCHEME.match(text)
    if scheme is None:
        return text
    if scheme[1] not in _SCHEMES:
        raise DatabaseUrlError(
            f"DATABASE_URL begins with {scheme[1]}://; it must be a postgresql:// URL."
        )
    rest = text[scheme.end() :]
    before_query = rest.partition("?")[0]
    login = re.match(r"[^@/]*@", rest)
    if "@" in (before_query[login.end() :] if login else before_query):
        raise DatabaseUrlError(
            f"DATABASE_URL has a character in its user or password that ends it; {_RESERVED}."
        )
    return f"postgresql://{rest}"


def _refusal(message: str, text: str) -> str:
    unknown = re.match(r'invalid (?:URI query parameter:|connection option) "(\w+)"', message)
    if unknown and "@" not in text.partition("?")[2]:
        name = unknown[1]
        hint = f" ({_HINTS[name]})" if name in _HINTS else ""
        return f"has the parameter {name}, which libpq does not know; remove it{hint}"
    for part, refusal in _REFUSALS:
        if part in message:
            return refusal
    return f"is not a URL {_FORM}"
