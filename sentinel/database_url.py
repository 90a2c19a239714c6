"""Which database this installation uses."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sentinel.embedded import EmbeddedPostgres
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
        with EmbeddedPostgres(settings.home_path) as url:
            yield url
