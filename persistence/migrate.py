"""Schema migrations: run by `sentinel db upgrade`, checked by readiness, never run by serving."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine

from persistence.database import OPERATOR_TIMEOUT_S, open_database, transaction
from persistence.maintenance import maintain

_MIGRATIONS = Path(__file__).with_name("migrations")


def alembic_config(engine: Engine) -> Config:
    """Return Alembic's configuration bound to a database."""
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    config.attributes["engine"] = engine
    return config


def upgrade(url: str) -> str:
    """Bring a database to this release's schema, make the partitions that the next months need.

    Returns:
        The revision it is at.

    Raises:
        MaintenanceError: the partitions cannot be made now; the schema is this release's.
    """
    engine = open_database(url, pool_size=1, statement_timeout_s=OPERATOR_TIMEOUT_S)
    try:
        command.upgrade(alembic_config(engine), "head")
        maintain(engine, datetime.now(UTC))
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
