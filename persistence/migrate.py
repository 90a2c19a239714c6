"""Schema migrations: run by `sentinel db upgrade`, checked by readiness, never run by serving."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine

from persistence.database import open_database, transaction
from persistence.partitions import make_partitions

_MIGRATIONS = Path(__file__).with_name("migrations")


def alembic_config(engine: Engine) -> Config:
    """Return Alembic's configuration bound to a database."""
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    config.attributes["engine"] = engine
    return config


def upgrade(url: str) -> str:
    """Bring a database to this release's schema and return the revision it is at."""
    engine = open_database(url, pool_size=1)
    try:
        command.upgrade(alembic_config(engine), "head")
        with transaction(engine) as connection:
            make_partitions(connection, datetime.now(UTC))
        return current_revision(engine) or "none"
    finally:
        engine.dispose()


def head_revision() -> str:
    """Return the revision that this release's code is written for."""
    head = ScriptDirectory(str(_MIGRATIONS)).get_current_head()
    if head is None:
        raise RuntimeError("the release carries no migrations")
    return head


def current_revision(engine: Engine) -> str | None:
    """Return the revision the database is at, or None before the first migration."""
    with transaction(engine) as connection:
        return MigrationContext.configure(connection).get_current_revision()
