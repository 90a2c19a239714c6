"""Schema migrations: an operator runs them, and the service only checks the revision."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from psycopg.errors import LockNotAvailable
from sqlalchemy import Engine, text
from sqlalchemy.exc import OperationalError

from persistence.engine import OPERATOR_TIMEOUT_S, open_database, transaction
from persistence.errors import translate_errors
from persistence.maintenance.errors import MaintenanceError
from persistence.maintenance.maintenance import maintain
from persistence.tenancy import SERVICE_ROLE

if TYPE_CHECKING:
    from alembic.config import Config

_MIGRATIONS = Path(__file__).parents[1] / "migrations"


def alembic_config(engine: Engine) -> Config:
    """Return Alembic's configuration bound to a database."""
    from alembic.config import Config

    config = Config()
    # A ConfigParser holds the options; it reads a single % as the start of a reference.
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes["engine"] = engine
    return config


def upgrade(url: str) -> str:
    """Upgrade a database to this release's schema, and create the partitions of coming months.

    Nothing that is stored is deleted.

    Returns:
        The revision of the database afterwards.

    Raises:
        MaintenanceError: a later release has upgraded it; a migration did not get its lock, or the
            partitions cannot be created now. Finished steps stay, and another run continues after
            them.
        StoreUnavailable: Postgres is unreachable, or the connection broke.
    """
    engine = open_database(url, pool_size=2, statement_timeout_s=OPERATOR_TIMEOUT_S)
    try:
        revision = current_revision(engine)
        if revision is not None and revision not in revisions():
            raise MaintenanceError(
                f"The database is at revision {revision}, which a later release has made; this"
                " release has nothing to upgrade."
            )
        with translate_errors():
            _migrate(engine)
            _open_schema(engine)
        maintain(engine, datetime.now(UTC), keep_events=True)
        return current_revision(engine) or "none"
    finally:
        engine.dispose()


def _migrate(engine: Engine) -> None:
    from alembic import command

    try:
        command.upgrade(alembic_config(engine), "head")
    except OperationalError as error:
        if not isinstance(error.orig, LockNotAvailable):
            raise
        raise MaintenanceError(
            "A migration did not get its lock and was rolled back; end the transactions that have"
            " long been open, and run the command again."
        ) from error


def _open_schema(engine: Engine) -> None:
    """Let the service use the schema of the tables, as everybody may use `public`."""
    with engine.begin() as connection:
        schema, is_open = connection.execute(
            text(
                "SELECT quote_ident(current_schema()),"
                " has_schema_privilege(:role, current_schema(), 'USAGE')"
            ),
            {"role": SERVICE_ROLE},
        ).one()
        if not is_open:
            connection.execute(text(f"GRANT USAGE ON SCHEMA {schema} TO {SERVICE_ROLE}"))


@cache
def revisions() -> tuple[str, ...]:
    """Return the revisions of this release, first to last.

    They are read from the file names, so that the service starts without importing Alembic; a test
    compares the two.
    """
    return tuple(
        sorted(path.name.partition("_")[0] for path in (_MIGRATIONS / "versions").glob("[0-9]*.py"))
    )


def head_revision() -> str:
    """Return the revision that this release's code needs."""
    return revisions()[-1]


def is_older(revision: str | None) -> bool:
    """Return whether a database's revision precedes this release's; None is an empty database."""
    return revision is None or revision in revisions()[:-1]


def current_revision(engine: Engine) -> str | None:
    """Return the revision of the database; None before the first migration."""
    with transaction(engine) as connection:
        if connection.execute(text("SELECT to_regclass('alembic_version')")).scalar() is None:
            return None
        rows = connection.execute(text("SELECT version_num FROM alembic_version"))
        revision: str | None = rows.scalar_one_or_none()
        return revision
