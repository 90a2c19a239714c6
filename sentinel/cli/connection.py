"""Connect a command to the database of the settings."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import click
from sqlalchemy import Engine

from persistence.actor import Actor
from persistence.engine import STATEMENT_TIMEOUT_S, open_database
from sentinel.command_actor import command_actor
from sentinel.local.database_url import database_url
from sentinel.settings import Settings


@contextmanager
def connected_database(
    statement_timeout_s: float = STATEMENT_TIMEOUT_S,
) -> Iterator[tuple[Engine, Settings]]:
    """Yield a pool of two connections and the settings; close the pool at the end of the block.

    Args:
        statement_timeout_s: seconds after which Postgres cancels a statement.

    Raises:
        DatabaseUrlError: DATABASE_URL is not a Postgres URL.
        EmbeddedPostgresError: the embedded Postgres does not start.
    """
    settings = Settings()
    with database_url(settings) as url:
        engine = open_database(url, pool_size=2, statement_timeout_s=statement_timeout_s)
        try:
            yield engine, settings
        finally:
            engine.dispose()


def actor() -> Actor:
    """Return the user who runs the current command, for the audit log."""
    context: click.Context | None = click.get_current_context()
    words: list[str] = []
    while context is not None and context.parent is not None:
        words.insert(0, context.info_name or "")
        context = context.parent
    return command_actor(" ".join(["sentinel", *words]))
