"""The errors of psycopg and SQLAlchemy, translated into those of `scoring.errors`."""

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
    """Translate what the driver and the pool raise while Postgres is away or has no schema.

    Args:
        unreachable: sentence for the caller when there is no connection, or it breaks.

    Raises:
        StoreUnavailable: Postgres could not be reached, or broke off.
        SchemaMissing: Postgres lacks this release's schema.
    """
    try:
        yield
    except (OperationalError, PoolTimeoutError, psycopg.OperationalError) as error:
        # The service's role is made by the migrations, so it is missing where they have not run.
        if 'invalid value for parameter "role"' in str(error):
            raise SchemaMissing from error
        raise StoreUnavailable(unreachable) from error
    except ProgrammingError as error:
        if isinstance(error.orig, UndefinedTable):
            raise SchemaMissing from error
        raise
    except DBAPIError as error:
        if error.connection_invalidated:
            raise StoreUnavailable("Postgres broke off; try again shortly.") from error
        raise
