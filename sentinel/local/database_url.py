"""Choose and check the database of this installation."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from persistence.connection.connector import Connector
from persistence.connection.settings import service_session
from persistence.connection.url import DatabaseUrlError
from scoring.errors import StoreMisconfigured, StoreUnavailable
from sentinel.settings import Settings

logger = logging.getLogger("sentinel.store")


@contextmanager
def database_url(settings: Settings) -> Iterator[str]:
    """Yield DATABASE_URL, or the URL of the embedded Postgres, which runs until the block ends.

    Raises:
        EmbeddedPostgresError: the embedded Postgres does not start; the message gives the reason.
    """
    if settings.database_url:
        yield settings.database_url
    else:
        from sentinel.local.postgres.embedded import EmbeddedPostgres

        with EmbeddedPostgres(settings.home_path) as url:
            yield url


def check_database_url(url: str) -> None:
    """Connect once as the service does.

    A database that is away or lacks the schema is logged and ends no start, since it may be there
    before the first request; `/readyz` reports it until then.

    Raises:
        DatabaseUrlError: the URL, the login or a setting of the database must be changed first; the
            message gives the reason, without the password.
    """
    try:
        Connector(url, service_session())().close()
    except StoreMisconfigured as error:
        raise DatabaseUrlError(str(error)) from error
    except StoreUnavailable as error:
        logger.warning("not ready yet: %s", error)
