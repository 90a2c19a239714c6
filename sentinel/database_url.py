"""Which database this installation uses."""

from __future__ import annotations

from sentinel.embedded import EmbeddedPostgres
from sentinel.settings import Settings


def database_url(settings: Settings) -> str:
    """Return DATABASE_URL, or that of the embedded Postgres, started if it is not running.

    Raises:
        EmbeddedPostgresError: the embedded Postgres does not start; says why.
    """
    return settings.database_url or EmbeddedPostgres(settings.home_path).start()
