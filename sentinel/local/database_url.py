"""Choose and check the database of this installation."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from sentinel.settings import Settings


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
    """Check that a URL is that of a Postgres database, without connecting.

    Raises:
        ValueError: the URL is not valid; the message gives the reason, without the password.
    """
    if not _is_plain(url):
        # SQLAlchemy checks all other URLs; its import takes 0.2 s.
        from persistence.engine import open_database

        open_database(url).dispose()


def _is_plain(url: str) -> bool:
    try:
        port = urlsplit(url).port
    except ValueError:
        return False
    return url.startswith("postgresql://") and port != 0
