"""The store benchmark measures every operation on rows that pass the schema's checks."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from click.testing import CliRunner
from sqlalchemy import Engine

from benchmarks.store.comparison import main
from benchmarks.store.data import load, sample
from benchmarks.store.operations import OPERATIONS
from persistence.decisions.rows import Decided
from persistence.decisions.writer import DecisionLog
from persistence.engine import OPERATOR_TIMEOUT_S, open_database
from persistence.review.worklist import REVIEWS, read_worklist
from tests.support.fixture_types import Rows


def test_the_loaded_decisions_pass_every_check_of_the_schema_and_answer_retries(
    database: str, engine: Engine, rows: Rows
) -> None:
    owner = open_database(database, pool_size=2, statement_timeout_s=OPERATOR_TIMEOUT_S)
    load(owner, 3000, lambda _made: None)
    owner.dispose()
    counts = rows(
        "SELECT (SELECT count(*) FROM transactions) AS transactions, (SELECT count(*) FROM"
        " predictions) AS predictions, (SELECT count(*) FROM idempotency_keys) AS keys"
    )
    assert counts == [{"transactions": 3000, "predictions": 3000, "keys": 3000}]
    # Loaded without checks, so every foreign key is checked here.
    for key in rows(
        "SELECT conrelid::regclass::text AS of_table, conname FROM pg_constraint"
        " WHERE contype = 'f' AND conparentid = 0"
    ):
        with engine.begin() as connection:
            name = f"ALTER TABLE {key['of_table']} ALTER CONSTRAINT {key['conname']}"
            connection.exec_driver_sql(f"{name} NOT ENFORCED")
            connection.exec_driver_sql(f"{name} ENFORCED")
    decided = sample(engine, 5)[0]
    (again,) = DecisionLog(engine).write([decided])
    assert isinstance(again, Decided)
    assert again.prediction_id == decided.prediction_id
    page = read_worklist(engine, decided.tenant_id, REVIEWS, undecided=True, limit=10)
    assert len(page.entries) == 10


def test_the_benchmark_compares_two_stores_and_writes_its_figures(
    tmp_path: Path, make_home: Callable[[], Path]
) -> None:
    output = tmp_path / "store.json"
    small = ["--rows", "2000", "--rows", "6000", "--repetitions", "5"]
    places = ["--home", str(make_home()), "--output", str(output)]
    run = CliRunner().invoke(main, [*small, *places])
    assert output.exists(), run.output
    document = json.loads(output.read_text())["operations"]
    assert set(document) == set(OPERATIONS)
    for figures in document.values():
        assert all(ms > 0 for ms in figures["median_ms"].values())
        assert figures["ratio"] > 0


def test_the_benchmark_needs_two_sizes_the_smaller_first() -> None:
    run = CliRunner().invoke(main, ["--rows", "6000", "--rows", "2000"])
    assert run.exit_code == 2
    assert "the smaller first" in run.output
