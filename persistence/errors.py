"""Translate the errors of psycopg and SQLAlchemy into those of `scoring.errors`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from persistence.connection.causes import UNREACHABLE, running
from scoring.errors import InvalidRequest, StoreBusy, StoreUnavailable

_NOT_STORABLE = "A text has a character that cannot be stored, such as NUL; remove it."


@contextmanager
def translate_errors(detail: str = UNREACHABLE) -> Iterator[None]:
    """Translate the errors of the driver and of the pool inside the block.

    Errors of values, such as a broken constraint, pass through. A connection that cannot be opened
    is translated where it is opened, in `persistence/connection/connector.py`.

    Args:
        detail: sentence for callers when the connection breaks.

    Raises:
        StoreUnavailable: the connection broke, or Postgres does not run the statement.
        SchemaMissing: this release's schema is missing.
        StoreMisconfigured: a privilege or a setting must be changed first.
        InvalidRequest: a text has a character that Postgres cannot hold. A route that names the
            field refuses it earlier; this is what is left.
    """
    try:
        yield
    except PoolTimeoutError as error:
        raise StoreBusy(
            detail, reason="All database connections of this process are in use."
        ) from error
    except DBAPIError as error:
        if isinstance(error.orig, psycopg.Error) and (found := running(error.orig, detail)):
            raise found from error
        if isinstance(error.orig, psycopg.DataError) and error.orig.sqlstate is None:
            # psycopg refuses NUL, the only text that UTF-8 has and Postgres has not.
            raise InvalidRequest(_NOT_STORABLE) from error
        if error.connection_invalidated:
            raise StoreUnavailable(
                "The connection to Postgres broke; try again shortly."
            ) from error
        raise
    except UnicodeEncodeError as error:
        raise InvalidRequest(_NOT_STORABLE) from error
    except psycopg.Error as error:
        if found := running(error, detail):
            raise found from error
        raise
