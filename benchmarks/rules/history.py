"""A backtest as the API runs it: from 200,000 decisions in Postgres to figures with intervals."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random
from statistics import median
from time import perf_counter

from rich.table import Table
from sqlalchemy import Engine, text

from benchmarks.store.comparison import home_or_temporary
from benchmarks.store.data import MODEL, load
from persistence.engine import OPERATOR_TIMEOUT_S, open_database
from persistence.maintenance.migrate import upgrade
from persistence.rules.backtesting import MAX_DECISIONS, History, Tested, try_on_history
from persistence.rules.figures import MAX_HITS, rule_figures
from persistence.rules.tried import (
    ListTried,
    RulesTried,
    RuleTried,
    Tried,
)
from scoring.policy import CostModel, Thresholds
from sentinel.local.postgres.embedded import EmbeddedPostgres
from sentinel.local.terminal import open_console

ROWS = 640_000
"""Decisions of eight tenants, of which the largest has more than MAX_DECISIONS."""
_COSTS = CostModel(0, 1, 5, 40)
_SPAN = History(0.0, 3650.0, datetime.now(UTC) + timedelta(hours=1))


def measure(rounds: int) -> None:
    """Fill a database, and print the time of each kind of backtest.

    Args:
        rounds: number of times that each is measured.
    """
    with home_or_temporary(None) as folder, EmbeddedPostgres(folder) as url:
        _measure(url, rounds)


def _measure(url: str, rounds: int) -> None:
    console = open_console()
    upgrade(url)
    engine = open_database(url, statement_timeout_s=OPERATOR_TIMEOUT_S)
    load(engine, ROWS, lambda _: None)
    with engine.begin() as connection:
        connection.execute(
            text(
                "SELECT set_config('sentinel.tenant_ids',"
                " (SELECT string_agg(id::text, ',') FROM tenants), true)"
            )
        )
        connection.execute(
            text(
                "INSERT INTO production_versions (tenant_id, name, version)"
                " SELECT id, :model, 1 FROM tenants"
            ),
            {"model": MODEL},
        )
        tenant_id = connection.execute(
            text("SELECT tenant_id FROM predictions GROUP BY 1 ORDER BY count(*) DESC LIMIT 1")
        ).scalar_one()
    table = Table("tried on stored decisions", "decisions", "s", "of which reading, s")
    for name, tried in _tried().items():
        times, reading = [], []
        for _ in range(rounds):
            tested, took_s, read_s = _timed(engine, tenant_id, tried)
            times.append(took_s)
            reading.append(read_s)
        decisions = f"{tested.result.decisions:,}"
        table.add_row(name, decisions, f"{median(times):.2f}", f"{median(reading):.2f}")
    _add_hits(engine, tenant_id)
    times = []
    for _ in range(rounds):
        began = perf_counter()
        figures = rule_figures(engine, tenant_id, 3650.0, _SPAN.as_of)
        times.append(perf_counter() - began)
    hits = sum(day.fires for days in figures.days.values() for day in days)
    name = f"figures of {len(figures.days)} rules, {hits:,} hits"
    table.add_row(name, f"{MAX_HITS:,}", f"{median(times):.2f}", "")
    console.print(table)
    assert tested.result.decisions == MAX_DECISIONS  # noqa: S101 - else it measures less
    engine.dispose()


def _add_hits(engine: Engine, tenant_id: int) -> None:
    """Let six of 200 rules fire for each decision, of which one decides."""
    with engine.begin() as connection:
        connection.execute(
            text(
                """
                UPDATE predictions SET ruling = (
                    SELECT jsonb_build_object(
                        'as_of', 1, 'fired', jsonb_agg(jsonb_build_array(rule, 1)),
                        'decided_by', jsonb_build_array('rule', min(rule), 1))
                    FROM (
                        SELECT abs(hashtext(predictions.id::text || place)) % 200 + 1 AS rule
                        FROM generate_series(1, 6) AS place
                    ) AS hit
                ) WHERE tenant_id = :tenant_id
                """
            ),
            {"tenant_id": tenant_id},
        )
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE predictions"))


def _timed(engine: Engine, tenant_id: int, tried: Tried) -> tuple[Tested, float, float]:
    marks: dict[str, float] = {}

    def report(line: str) -> None:
        marks[line.split()[0]] = perf_counter()

    began = perf_counter()
    tested = try_on_history(engine, tenant_id, tried, _COSTS, _SPAN, report)
    return tested, perf_counter() - began, marks["Deciding"] - marks["Reading"]


def _tried() -> dict[str, Tried]:
    rng = Random(7)  # noqa: S311 - a fixed sample
    rules = [
        RuleTried(
            f"amount > {rng.randint(1000, 900000)} and type == 'TRANSFER'"
            f" and score > {rng.random():.3f} and feature('amount_share') > {rng.random():.2f}",
            rng.choice(["review", "decline"]),
        )
        for _ in range(200)
    ]
    return {
        "a rule": RuleTried("amount > 200000 and feature('amount_share') > 0.5", "decline"),
        "200 rules": RulesTried(rules),
        "a list of 1,000": ListTried("account", "decline", [f"C{i:09x}" for i in range(1000)]),
        "two thresholds": Thresholds(0.02, 0.9),
    }
