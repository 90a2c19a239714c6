"""`python -m benchmarks.windows`: measure what windows add to a decision, by layout.

The same payments are scored without windows and with 40 windows over two entities, in each layout
in turn. Every number is of one connection. The results go to results/windows.json.
"""

from __future__ import annotations

import json
import os
import statistics
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import psutil
import psycopg
from rich.table import Table

from benchmarks.reporting.environment import commit, machine
from benchmarks.store.comparison import home_or_temporary
from benchmarks.windows.history import EVENTS_OF_AN_ENTITY, HOT_KEY, MODEL, fill
from benchmarks.windows.layouts import LAYOUTS
from benchmarks.windows.scored import Payments, Spent, decision
from persistence.engine import OPERATOR_TIMEOUT_S, open_database
from persistence.maintenance import migrate
from persistence.tenancy import SERVICE_ROLE
from persistence.tenants import create_tenant
from sentinel.errors import Command
from sentinel.local.postgres.embedded import EmbeddedPostgres
from sentinel.local.terminal import open_console

RESULTS = Path(__file__).parents[1] / "results" / "windows.json"
SETTINGS = {"shared_buffers": "3GB", "max_wal_size": "8GB", "checkpoint_timeout": "30min"}
CASES = {"one": (1, None), "one of a hot entity": (1, HOT_KEY), "a thousand": (1000, None)}


@click.command(cls=Command)
@click.option("--events", default=10_000_000, show_default=True, type=click.IntRange(min=100_000))
@click.option("--repetitions", default=300, show_default=True, type=click.IntRange(min=10))
@click.option("--home", type=click.Path(path_type=Path, file_okay=False))
@click.option("--output", default=RESULTS, show_default=True, type=click.Path(path_type=Path))
def main(events: int, repetitions: int, home: Path | None, output: Path) -> None:
    """Fill every layout with the same past events, and score payments."""
    console = open_console()
    with home_or_temporary(home) as folder, _configured(folder) as url:
        tenant = _prepared(url, events, console.print)
        template = decision(tenant)
        entities = events // EVENTS_OF_AN_ENTITY
        contenders = {
            layout.name if layout else "none": Payments(
                open_database(url, role=SERVICE_ROLE, pool_size=1), template, entities, layout
            )
            for layout in (None, *LAYOUTS)
        }
        with psycopg.connect(url, autocommit=True) as owner:
            before = _sizes(owner)
            measured = {
                case: _measured(owner, contenders, size, key, repetitions)
                for case, (size, key) in CASES.items()
            }
            results = {
                "command": f"python -m benchmarks.windows --events {events}",
                "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
                "commit": commit(),
                "machine": machine(),
                "events": events,
                "medians": measured,
                "sizes_mb": {"before": before, "after": _sizes(owner)},
            }
    output.write_text(json.dumps(results, indent=2) + "\n")
    for case, found in measured.items():
        table = Table(title=case)
        for name in ("layout", *next(iter(found.values()))):
            table.add_column(name, justify="right")
        for layout, numbers in found.items():
            table.add_row(layout, *(f"{number:.2f}" for number in numbers.values()))
        console.print(table)
    console.print(results["sizes_mb"])
    console.print(f"Written to {os.path.relpath(output)}.")


@contextmanager
def _configured(folder: Path) -> Iterator[str]:
    """Run Postgres with a cache that holds what a batch reads, as one in production does."""
    with EmbeddedPostgres(folder) as url, psycopg.connect(url, autocommit=True) as owner:
        for name, value in SETTINGS.items():
            owner.execute(f"ALTER SYSTEM SET {name} = '{value}'")
    with EmbeddedPostgres(folder) as url:
        yield url


def _prepared(url: str, events: int, show: Callable[[str], None]) -> int:
    """Fill the database unless an earlier run has; return the tenant."""
    with psycopg.connect(url, autocommit=True) as owner:
        if owner.execute("SELECT to_regclass('windows_filled')").fetchone() == (None,):
            migrate.upgrade(url)
            engine = open_database(url, pool_size=1, statement_timeout_s=OPERATOR_TIMEOUT_S)
            tenant = create_tenant(engine, "bank", MODEL).id
            engine.dispose()
            owner.execute(
                "INSERT INTO model_versions (tenant_id, name, version, policy, calibrator_kind)"
                " VALUES (%s, %s, 1, '{}', 'isotonic')",
                [tenant, MODEL],
            )
            fill(owner, tenant, events, SERVICE_ROLE, show)
            owner.execute("CREATE TABLE windows_filled AS SELECT %s::bigint AS tenant", [tenant])
        (found,) = owner.execute("SELECT tenant FROM windows_filled").fetchone() or (0,)
        return int(found)


def _measured(
    owner: psycopg.Connection[Any],
    contenders: dict[str, Payments],
    size: int,
    key: str | None,
    repetitions: int,
) -> dict[str, dict[str, float]]:
    rounds = max(repetitions // 10, 10) if size > 1 else repetitions
    backends = {name: payments.backend() for name, payments in contenders.items()}
    spent: dict[str, list[Spent]] = {name: [] for name in contenders}
    cpu_s = dict.fromkeys(contenders, 0.0)
    wal = dict.fromkeys(contenders, 0)
    for repetition in range(-5, rounds):
        for name, payments in contenders.items():
            batch = payments.batch(size, key)
            with _counted(owner, backends[name]) as used:
                took = payments.score(batch)
            if repetition >= 0:
                spent[name].append(took)
                cpu_s[name] += used["cpu_s"]
                wal[name] += used["wal"]
    return {
        name: {
            "read_ms": statistics.median(s.read_ms for s in rows),
            "windows_ms": statistics.median(s.windows_ms for s in rows),
            "write_ms": statistics.median(s.write_ms for s in rows),
            "all_ms": statistics.median(s.read_ms + s.windows_ms + s.write_ms for s in rows),
            "client_cpu_ms": statistics.median(s.client_cpu_ms for s in rows),
            "postgres_cpu_ms": cpu_s[name] * 1e3 / rounds,
            "wal_kb": wal[name] / 1e3 / rounds,
        }
        for name, rows in spent.items()
    }


@contextmanager
def _counted(owner: psycopg.Connection[Any], backend: psutil.Process) -> Iterator[dict[str, Any]]:
    lsn = "SELECT pg_current_wal_insert_lsn() - '0/0'"
    used: dict[str, Any] = {}
    (wal,) = owner.execute(lsn).fetchone() or (0,)
    cpu = sum(backend.cpu_times()[:2])
    yield used
    used["cpu_s"] = sum(backend.cpu_times()[:2]) - cpu
    (after,) = owner.execute(lsn).fetchone() or (0,)
    used["wal"] = int(after - wal)


def _sizes(owner: psycopg.Connection[Any]) -> dict[str, float]:
    tables = [table for layout in LAYOUTS for table in layout.tables]
    found = owner.execute(
        "SELECT t, pg_table_size(t::regclass) / 1e6, pg_indexes_size(t::regclass) / 1e6"
        " FROM unnest(%s::text[]) AS t",
        [tables],
    ).fetchall()
    return {
        f"{t} {part}": float(mb)
        for t, *sizes in found
        for part, mb in zip(("table", "indexes"), sizes, strict=True)
    }


if __name__ == "__main__":
    main()
