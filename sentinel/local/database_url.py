"""Which database this installation uses."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from sentinel.settings import Settings


@contextmanager
def database_url(settings: Settings) -> Iterator[str]:
    """Yield DATABASE_URL, or that of the embedded Postgres, which runs while the block does.

    Raises:
        EmbeddedPostgresError: the embedded Postgres does not start; says why.
    """
    if settings.database_url:
        yield settings.database_url
    else:
        from sentinel.local.postgres.embedded import EmbeddedPostgres

        with EmbeddedPostgres(settings.home_path) as url:
            yield url


def check_database_url(url: str) -> None:
    """Refuse a URL that does not name a Postgres database; nothing is asked of it.

    Raises:
        ValueError: says what is wrong, without the password.
    """
    if not _is_plain(url):
        # SQLAlchemy knows the rest, and takes 0.2 s to import.
        from persistence.engine import open_database

        open_database(url).dispose()


def _is_plain(url: str) -> bool:
    try:
        port = urlsplit(url).port
    except ValueError:
        return False
    return url.startswith("postgresql://") and port != 0
