"""The log: one record a line on stderr, as JSON for machines or as text for people.

It holds no personal data by default. Sentinel's own messages contain tenants' models, routes and
request ids. The parts of a payment that a library's error quotes are left out; Postgres, for
example, quotes the row that it rejects. Why the formatters are ours:
docs/decisions/0011-libraries.md.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from traceback import format_tb
from typing import Literal, TextIO

import orjson

from scoring.redaction import redacted

Format = Literal["json", "text"]
Level = Literal["info", "warning", "error"]

SERVERS = ("bentoml", "uvicorn.error", "circus")
"""Loggers with handlers of their own, which `set_up` removes."""


def set_up(how: Format | None, level: Level, stream: TextIO | None = None) -> None:
    """Write every record of this process to one stream, in one format.

    Args:
        how: format of the records; None: text on a terminal, JSON elsewhere.
        level: lowest level of Sentinel's own records; for those of libraries it is `warning`.
        stream: stream that the records are written to; None: stderr.
    """
    stream = stream or sys.stderr
    handler = logging.StreamHandler(stream)
    is_text = stream.isatty() if how is None else how == "text"
    handler.setFormatter(TextFormatter() if is_text else JsonFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    for name in SERVERS:
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
    # Without a handler, uvicorn formats no access log: 2 % of the time of a single /score.
    access = logging.getLogger("uvicorn.access")
    access.handlers.clear()
    access.propagate = False
    logging.getLogger("sentinel").setLevel(level.upper())
    # MLflow, which is imported later, would write lines of its own to stderr.
    os.environ.setdefault("MLFLOW_CONFIGURE_LOGGING", "false")


class JsonFormatter(logging.Formatter):
    """Renders one JSON object a line: ts, level, logger, message, members of `fields`, error."""

    def format(self, record: logging.LogRecord) -> str:
        """Render a record; `extra={"fields": {...}}` becomes members of the object."""
        line: dict[str, object] = {
            "ts": datetime.fromtimestamp(record.created, UTC),
            "level": record.levelname,
            "logger": record.name,
            "message": _message(record),
        }
        line |= getattr(record, "fields", {})
        if record.exc_info and record.exc_info[1]:
            line["error"] = "\n".join(_traceback(record.exc_info[1]))
        return orjson.dumps(line, default=str, option=orjson.OPT_UTC_Z).decode()


class TextFormatter(logging.Formatter):
    """Renders a line for people: time, level, logger, message, `fields` as name=value."""

    def format(self, record: logging.LogRecord) -> str:
        """Render a record."""
        at = datetime.fromtimestamp(record.created).astimezone().isoformat("T", "seconds")
        line = f"{at} {record.levelname} {record.name}: {_message(record)}"
        for name, value in getattr(record, "fields", {}).items():
            line += f" {name}={value}"
        # A name may hold a line feed, with which it could look like another record.
        line = "".join(c if c.isprintable() else repr(c)[1:-1] for c in line)
        if record.exc_info and record.exc_info[1]:
            line += "\n" + "\n".join(_traceback(record.exc_info[1]))
        return line


def _message(record: logging.LogRecord) -> str:
    args = record.args
    if isinstance(args, tuple) and any(isinstance(arg, BaseException) for arg in args):
        safe = tuple(_safe(arg) if isinstance(arg, BaseException) else arg for arg in args)
        return redacted(str(record.msg) % safe)
    return redacted(record.getMessage())


def _traceback(error: BaseException) -> Iterator[str]:
    """Yield a traceback, causes first, without the parts of a payment that libraries quote."""
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if cause is not None:
        yield from _traceback(cause)
    yield "".join(format_tb(error.__traceback__)).rstrip()
    yield f"{type(error).__module__}.{type(error).__qualname__}: {_safe(error)}"


def _safe(error: BaseException) -> str:
    """Return an error's message, without logins and without the parts of rows it quotes."""
    # By the library's name, so that the process that supervises the workers need not import it.
    library = type(error).__module__.partition(".")[0]
    if library == "sqlalchemy" and (cause := getattr(error, "orig", None)):
        return _safe(cause)
    if library == "psycopg" and (state := getattr(error, "sqlstate", None)):
        return f"SQLSTATE {state}"
    if library == "pydantic_core":
        return "not valid"
    # Only the first line from Postgres: the detail and context that follow quote the row.
    return redacted(str(error).partition("\n")[0] if library == "psycopg" else str(error))
