"""Indexes of the partitioned tables are built while payments go on, also after a killed run."""

from __future__ import annotations

from datetime import UTC, datetime

import psycopg
import pytest
from sqlalchemy import Engine, text

from persistence.decisions.writer import DecisionLog
from persistence.maintenance.indexes import build_indexes
from persistence.maintenance.maintenance import maintain
from persistence.maintenance.migrate import alembic_config, upgrade
from tests.support.factories import a_decision
from tests.support.fixture_types import MakeTenant, Rows

INDEXES = ("ix_predictions_decision", "ix_predictions_fired", "ix_predictions_waiting")


@pytest.fixture
def before(engine: Engine) -> None:
    """The database as the migration that begins the indexes leaves it."""
    from alembic import command

    command.downgrade(alembic_config(engine), "0017")
    command.upgrade(alembic_config(engine), "head")


def names(rows: Rows, *, valid: bool) -> set[str]:
    """Return the names of the indexes of all partitions of predictions, and of the parent."""
    stored = rows(
        "SELECT indexrelid::regclass::text AS name FROM pg_index"
        " WHERE indrelid::regclass::text LIKE 'predictions%' AND indisvalid = :valid",
        valid=valid,
    )
    return {row["name"] for row in stored}


@pytest.mark.usefixtures("before")
def test_an_upgrade_builds_them_and_drops_the_one_that_is_replaced(
    database: str, rows: Rows
) -> None:
    assert names(rows, valid=False) == set(INDEXES)
    assert "ix_predictions_worklist" in names(rows, valid=True)
    upgrade(database)
    assert not names(rows, valid=False)
    assert set(INDEXES) <= names(rows, valid=True)
    assert not any("worklist" in name for name in names(rows, valid=True))


@pytest.mark.usefixtures("before")
def test_a_month_that_is_made_meanwhile_has_them_from_the_start(engine: Engine, rows: Rows) -> None:
    maintain(engine, datetime(2031, 1, 1, tzinfo=UTC))
    assert not names(rows, valid=False)
    (row,) = rows(
        "SELECT count(*) AS count FROM pg_indexes WHERE tablename = 'predictions_2031_01'"
        " AND indexdef LIKE '%reviewed, decision%'"
    )
    assert row["count"] == 1


@pytest.mark.usefixtures("before")
def test_an_index_that_a_killed_run_left_is_built_again(
    engine: Engine, make_tenant: MakeTenant, rows: Rows
) -> None:
    tenant = make_tenant()
    for _ in range(2):
        DecisionLog(engine).write([a_decision(tenant.id)])
    (row,) = rows("SELECT tableoid::regclass::text AS name FROM predictions LIMIT 1")
    partition = row["name"]
    with (
        engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection,
        pytest.raises(Exception, match="could not create unique index"),
    ):
        # The same name, left invalid by a statement that fails half-way.
        connection.execute(
            text(
                f"CREATE UNIQUE INDEX CONCURRENTLY {partition}_decision_idx"
                f" ON {partition} (tenant_id)"
            )
        )
    assert f"{partition}_decision_idx" in names(rows, valid=False)
    with engine.connect() as connection:
        assert build_indexes(connection) == list(INDEXES)
        assert build_indexes(connection) == []
    assert not names(rows, valid=False)


def test_the_lock_of_maintenance_holds_no_snapshot(
    engine: Engine, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A snapshot would hold vacuum back, and an index that is built concurrently for ever."""
    seen = []

    def look(_: object) -> list[str]:
        with psycopg.connect(database) as other:
            seen.extend(
                other.execute(
                    "SELECT state, backend_xmin FROM pg_stat_activity"
                    " WHERE query LIKE '%advisory_xact_lock%' AND pid <> pg_backend_pid()"
                ).fetchall()
            )
        return []

    monkeypatch.setattr("persistence.maintenance.maintenance.build_indexes", look)
    maintain(engine, datetime.now(UTC))
    assert seen == [("idle in transaction", None)]
