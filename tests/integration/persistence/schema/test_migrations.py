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


def test_feedback_of_every_tenant_becomes_labels_and_no_entry_of_the_audit_log(
    make_database: Callable[..., str],
) -> None:
    url = make_database()
    engine = open_database(url)
    command.upgrade(alembic_config(engine), "0010")
    with engine.begin() as connection:
        connection.execute(
            text(
                """
                SELECT set_config('sentinel.tenant_ids', '1,2', true);
                INSERT INTO tenants (slug, model_name) VALUES ('one', 'x'), ('two', 'x');
                INSERT INTO transactions (tenant_id, id, step, type, amount, name_orig,
                    oldbalance_org, name_dest, oldbalance_dest)
                SELECT tenant_id, '019c1414-987b-7a3c-8d52-6f0e9b1c2a10', 1, 'DEBIT', 1, 'C1', 1,
                    'C2', 1 FROM unnest(ARRAY[1, 2]) AS tenant_id;
                INSERT INTO feedback (tenant_id, transaction_id, label, rationale, actor,
                    created_at)
                SELECT tenant_id, '019c1414-987b-7a3c-8d52-6f0e9b1c2a10', label, '', 'jane',
                    timestamptz '2026-03-01 00:00+00' + seconds * interval '1 s'
                FROM (VALUES (1, 'confirmed_fraud', 9), (1, 'false_positive', 5),
                    (2, 'escalated', 7)) AS given (tenant_id, label, seconds);
                """
            )
        )
    assert upgrade(url) == head_revision()
    with engine.begin() as connection:
        connection.execute(text("SELECT set_config('sentinel.tenant_ids', '1,2', true)"))
        labels = connection.execute(
            text(
                "SELECT tenant_id, label, source, actor, feedback_id,"
                " extract(second FROM occurred_at)::int, extract(second FROM created_at)::int"
                " FROM labels ORDER BY id"
            )
        )
        # The second was given in a transaction that began before the first one's.
        assert [tuple(label) for label in labels] == [
            (1, "fraud", "analyst", "jane", 1, 9, 9),
            (1, "legitimate", "analyst", "jane", 2, 9, 5),
            (2, "escalated", "analyst", "jane", 3, 7, 7),
        ]
        actions = connection.execute(text("SELECT DISTINCT action FROM audit_log ORDER BY 1"))
        assert actions.scalars().all() == ["feedback.created", "tenant.created"]
    engine.dispose()


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
