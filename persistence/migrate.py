"""Schema migrations: run by `sentinel db upgrade`, checked by readiness, never run by serving."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from psycopg.errors import LockNotAvailable
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError

from persistence.database import (
    OPERATOR_TIMEOUT_S,
    open_database,
    saying_unavailable,
    transaction,
)
from persistence.maintenance import MaintenanceError, maintain

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
        MaintenanceError: a migration did not get its lock, or the partitions cannot be made now;
            what was done before stays done, and another run goes on from there.
        StoreUnavailable: Postgres could not be reached, or broke off.
    """
    engine = open_database(url, pool_size=1, statement_timeout_s=OPERATOR_TIMEOUT_S)
    try:
        with saying_unavailable():
            _migrate(engine)
        maintain(engine, datetime.now(UTC))
        return current_revision(engine) or "none"
    finally:
        engine.dispose()


def _migrate(engine: Engine) -> None:
    try:
        command.upgrade(alembic_config(engine), "head")
    except OperationalError as error:
        if not isinstance(error.orig, LockNotAvailable):
            raise
        raise MaintenanceError(
            "A migration did not get its lock and was undone: end the transactions that are open"
            " for long, and run it again."
        ) from error


def head_revision() -> str:
    """Return the revision that this release's code is written for."""
    head = ScriptDirectory(str(_MIGRATIONS)).get_current_head()
    if head is None:
        raise RuntimeError("the release carries no migrations")
    return head


@cache
def older_revisions() -> frozenset[str | None]:
    """Return the revisions that a database may be at before this release's; None: at none yet."""
    script = ScriptDirectory(str(_MIGRATIONS))
    return frozenset({None, *(step.revision for step in script.walk_revisions())}) - {
        head_revision()
    }


def current_revision(engine: Engine) -> str | None:
    """Return the revision the database is at, or None before the first migration."""
    with transaction(engine) as connection:
        return MigrationContext.configure(connection).get_current_revision()
