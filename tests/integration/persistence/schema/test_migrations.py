"""The migrations build the tables of the code, and a missing revision is detected."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic

import pytest
from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, inspect, text

from persistence.connection.url import DatabaseUrlError
from persistence.engine import open_database
from persistence.maintenance.errors import MaintenanceError
from persistence.maintenance.migrate import (
    alembic_config,
    current_revision,
    head_revision,
    revisions,
    upgrade,
)
from scoring.errors import StoreUnavailable


def test_the_migrations_build_the_tables(engine: Engine) -> None:
    command.check(alembic_config(engine))


def test_the_revisions_are_those_that_alembic_finds(engine: Engine) -> None:
    script = ScriptDirectory.from_config(alembic_config(engine))
    assert list(revisions())[::-1] == [step.revision for step in script.walk_revisions()]


def test_an_upgrade_may_be_repeated(database: str) -> None:
    assert upgrade(database) == head_revision()
    assert upgrade(database) == head_revision()


def test_every_migration_can_be_downgraded(database: str, engine: Engine) -> None:
    command.downgrade(alembic_config(engine), "base")
    assert inspect(engine).get_table_names() == ["alembic_version"]
    assert upgrade(database) == head_revision()


def test_a_migration_without_its_lock_gives_up_and_is_rolled_back(
    make_database: Callable[..., str],
) -> None:
    url = make_database()
    engine = open_database(url)
    command.upgrade(alembic_config(engine), "0001")
    with engine.begin() as reader:
        reader.execute(text("SELECT count(*) FROM predictions"))
        begun = monotonic()
        with pytest.raises(MaintenanceError, match="run the command again"):
            upgrade(url)
        assert monotonic() - begun < 15
    assert current_revision(engine) == "0001"
    assert upgrade(url) == head_revision()
    engine.dispose()


def test_an_upgrade_without_postgres_raises_store_unavailable() -> None:
    with pytest.raises(StoreUnavailable, match="cannot be reached"):
        upgrade("postgresql://nobody@127.0.0.1:1/none")


def test_an_empty_database_has_no_revision(make_database: Callable[..., str]) -> None:
    empty = open_database(make_database())
    assert current_revision(empty) is None
    empty.dispose()


def test_reading_the_revision_without_postgres_raises_store_unavailable() -> None:
    away = open_database("postgresql://nobody@127.0.0.1:1/none")
    with pytest.raises(StoreUnavailable):
        current_revision(away)


@pytest.mark.parametrize("url", ["mysql://host/db", "not a url", "sqlite:///x"])
def test_a_url_of_another_kind_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(DatabaseUrlError, match="postgresql://"):
        open_database(url)
