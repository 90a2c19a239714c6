"""Translate the errors of psycopg and SQLAlchemy into those of `scoring.errors`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg.errors import UndefinedTable
from sqlalchemy.exc import DBAPIError, OperationalError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from scoring.errors import SchemaMissing, StoreUnavailable


@contextmanager
def translate_errors(
    unreachable: str = "Postgres cannot be reached; try again shortly.",
) -> Iterator[None]:
    """Translate the errors of the driver and of the pool inside the block.

    Args:
        unreachable: sentence for the user when Postgres is unreachable or the connection breaks.

    Raises:
        StoreUnavailable: Postgres is unreachable, or the connection broke.
        SchemaMissing: this release's schema is missing.
    """
    try:
        yield
    except (OperationalError, PoolTimeoutError, psycopg.OperationalError) as error:
        # The migrations create the service's role, so a missing role is a missing schema.
        if 'invalid value for parameter "role"' in str(error):
            raise SchemaMissing from error
        raise StoreUnavailable(unreachable) from error
    except ProgrammingError as error:
        if isinstance(error.orig, UndefinedTable):
            raise SchemaMissing from error
        raise
    except DBAPIError as error:
        if error.connection_invalidated:
            raise StoreUnavailable(
                "The connection to Postgres broke; try again shortly."
            ) from error
        raise
