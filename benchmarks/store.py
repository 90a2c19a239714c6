"""`make bench-store`: what a page and a look-up cost as the store grows; writes results/store.json.

Two databases of one embedded Postgres hold a year of decisions each, of which one has a hundred
times as many. They are measured in turn, so that the machine's moods meet both alike. What
Postgres itself counted while the pages were read tells whether a table was scanned.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from time import perf_counter
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn
from rich.table import Table
from sqlalchemy import Engine, text

from benchmarks.environment import commit, machine
from benchmarks.store_data import load, sample
from persistence.decisions.rows import Decided
from persistence.decisions.writer import DecisionLog
from persistence.engine import OPERATOR_TIMEOUT_S, open_database
from persistence.maintenance import migrate
from persistence.review.worklist import BANDS_OF, Place, read_case, read_worklist
from persistence.tenancy import SERVICE_ROLE
from persistence.uuid7 import new_ids
from sentinel.local.postgres.embedded import EmbeddedPostgres

RESULTS = Path(__file__).with_name("results") / "store.json"
ROWS = (100_000, 10_000_000)
LIMIT = 2.0
"""How much longer anything may take on the larger store."""
PAGE = 50
BATCH = 64
_SAMPLES = 400
_WARM_UP = 30
_COUNTED = 50
_NUMBERS = count()


@click.command()
@click.option(
    "--rows",
    "sizes",
    type=click.IntRange(min=1000),
    multiple=True,
    default=ROWS,
    show_default=True,
    help="Decisions in a store; give it twice, the smaller first.",
)
@click.option("--repetitions", default=300, show_default=True, type=click.IntRange(min=1))
@click.option(
    "--home",
    type=click.Path(path_type=Path, file_okay=False),
    help="Keep the stores here for another run.  [default: a temporary directory]",
)
@click.option("--output", default=RESULTS, show_default=True, type=click.Path(path_type=Path))
def main(sizes: tuple[int, ...], repetitions: int, home: Path | None, output: Path) -> None:
    """Fill two stores, measure them, compare; fails where the larger takes over twice as long."""
    if len(sizes) != 2 or sizes[0] >= sizes[1]:
        raise click.UsageError("give --rows twice, the smaller first")
    console = Console()
    with _home(home) as folder, EmbeddedPostgres(folder) as url:
        stores = [_open_store(url, rows, console) for rows in sizes]
        operations = list(OPERATIONS)
        times_ms: dict[tuple[int, str], list[float]] = {}
        with console.status("measuring"):
            for repetition in range(-_WARM_UP, repetitions):
                for name in operations:
                    for store in stores:
                        begun = perf_counter()
                        OPERATIONS[name](store)
                        took_ms = (perf_counter() - begun) * 1e3
                        if repetition >= 0:
                            times_ms.setdefault((store.rows, name), []).append(took_ms)
            read = {
                (store.rows, name): store.rows_read(name) for store in stores for name in operations
            }
        for store in stores:
            store.engine.dispose()
    compared = {name: _compared(sizes, name, times_ms, read) for name in operations}
    results = {
        "command": "make bench-store",
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit(),
        "machine": machine(),
        "repetitions": repetitions,
        "operations": compared,
    }
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps(results, indent=2) + "\n")
    faults = _show(console, compared, sizes)
    console.print(f"Written to {os.path.relpath(output)}.")
    if faults:
        sys.exit("\n".join(faults))


@dataclass(frozen=True)
class Store:
    """A filled database, and decisions to ask it for."""

    url: str
    rows: int
    engine: Engine
    log: DecisionLog
    decisions: list[Decided]

    def any(self) -> Decided:
        """Return a random one of the sampled decisions."""
        return random.choice(self.decisions)  # noqa: S311 - a sample, not a secret

    def rows_read(self, name: str) -> dict[str, float]:
        """Return rows a call that Postgres read by scanning and by index, from its own counts."""
        self.engine.dispose()  # a backend reports its counts when it ends
        before = self._counts()
        for _ in range(_COUNTED):
            OPERATIONS[name](self)
        self.engine.dispose()
        return {kind: (after - before[kind]) / _COUNTED for kind, after in self._counts().items()}

    def _counts(self) -> dict[str, int]:
        owner = open_database(self.url, pool_size=1)
        statement = text(
            """
            SELECT coalesce(sum(seq_tup_read), 0)::bigint AS by_scan,
                (SELECT coalesce(sum(idx_tup_read), 0) FROM pg_stat_user_indexes)::bigint
                    AS by_index
            FROM pg_stat_user_tables
            WHERE relname ~ '^(transactions|predictions|idempotency_keys|feedback)'
            """
        )
        # A transaction would go on seeing the backends that it has seen first.
        with owner.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            while connection.execute(text(others)).scalar_one() > 1:
                connection.execute(text("SELECT pg_sleep(0.05)"))
            counts = dict(connection.execute(statement).mappings().one())
        owner.dispose()
        return counts


def queue_page(store: Store) -> None:
    """The first page of the worklist."""
    page = read_worklist(
        store.engine, store.any().tenant_id, BANDS_OF["review"], undecided=True, limit=PAGE
    )
    assert page.entries  # noqa: S101 - a page of nothing would be no measurement


def later_queue_page(store: Store) -> None:
    """A page from the middle of the worklist."""
    decided = store.any()
    place = Place(0.3, decided.prediction_id)
    read_worklist(
        store.engine,
        decided.tenant_id,
        BANDS_OF["review"],
        undecided=True,
        limit=PAGE,
        after=place,
    )


def transaction_page(store: Store) -> None:
    """A transaction with its decision and feedback."""
    decided = store.any()
    read_case(store.engine, decided.tenant_id, decided.transaction_id)


def idempotency_look_up(store: Store) -> None:
    """A retry: the key is found taken, and the stored decision is read back."""
    decided = store.any()
    (answer,) = store.log.write([_anew(decided)])
    assert isinstance(answer, Decided)  # noqa: S101
    assert answer.prediction_id == decided.prediction_id  # noqa: S101


def write_of_a_batch(store: Store) -> None:
    """A batch of new decisions, each with a key."""
    batch = [
        _anew(decided)._replace(
            transaction=replace(
                decided.transaction, external_id=f"new-{next(_NUMBERS)}-{id(store)}"
            ),
        )
        for decided in random.sample(store.decisions, BATCH)
    ]
    assert store.log.write(batch) == batch  # noqa: S101


OPERATIONS: dict[str, Callable[[Store], None]] = {
    f"queue page of {PAGE}": queue_page,
    f"later queue page of {PAGE}": later_queue_page,
    "transaction page": transaction_page,
    "idempotency look-up": idempotency_look_up,
    f"write of {BATCH}": write_of_a_batch,
}


def _anew(decided: Decided) -> Decided:
    ((transaction_id, prediction_id),) = new_ids(1)
    return decided._replace(transaction_id=transaction_id, prediction_id=prediction_id)


@contextmanager
def _home(home: Path | None) -> Iterator[Path]:
    if home:
        yield home
        return
    folder = Path(tempfile.mkdtemp(prefix="sentinel-bench-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _open_store(url: str, rows: int, console: Console) -> Store:
    """Fill the store of a size, unless it is there from an earlier run."""
    name = f"store_{rows}"
    store_url = url.replace("@/sentinel?", f"@/{name}?")
    server = open_database(url, pool_size=1)
    with server.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        known = connection.execute(
            text("SELECT count(*) FROM pg_database WHERE datname = :name"), {"name": name}
        ).scalar_one()
        if not known:
            connection.execute(text("ALTER SYSTEM SET max_wal_size = '8GB'"))
            connection.execute(text("SELECT pg_reload_conf()"))
            connection.execute(text(f"CREATE DATABASE {name}_unfinished"))
            unfinished = url.replace("@/sentinel?", f"@/{name}_unfinished?")
            migrate.upgrade(unfinished)
            owner = open_database(unfinished, pool_size=2, statement_timeout_s=OPERATOR_TIMEOUT_S)
            columns = ("{task.description}", BarColumn(), MofNCompleteColumn())
            with Progress(*columns, TimeRemainingColumn(), console=console) as progress:
                task = progress.add_task("decisions", total=rows)
                load(owner, rows, lambda made: progress.advance(task, made))
            owner.dispose()
            connection.execute(text(f"ALTER DATABASE {name}_unfinished RENAME TO {name}"))
    server.dispose()
    owner = open_database(store_url, pool_size=1, statement_timeout_s=OPERATOR_TIMEOUT_S)
    decisions = sample(owner, _SAMPLES)
    owner.dispose()
    engine = open_database(store_url, role=SERVICE_ROLE)
    return Store(store_url, rows, engine, DecisionLog(engine), decisions)


def _compared(
    sizes: tuple[int, ...],
    name: str,
    times_ms: dict[tuple[int, str], list[float]],
    read: dict[tuple[int, str], dict[str, float]],
) -> dict[str, Any]:
    medians = [statistics.median(times_ms[size, name]) for size in sizes]
    return {
        "median_ms": {str(size): round(ms, 3) for size, ms in zip(sizes, medians, strict=True)},
        "p95_ms": {
            str(size): round(statistics.quantiles(times_ms[size, name], n=20)[-1], 3)
            for size in sizes
        },
        "ratio": round(medians[1] / medians[0], 2),
        "rows_scanned": {str(size): read[size, name]["by_scan"] for size in sizes},
        "rows_by_index": {str(size): read[size, name]["by_index"] for size in sizes},
    }


def _show(console: Console, operations: dict[str, Any], sizes: tuple[int, ...]) -> list[str]:
    """Print the comparison; return what is wrong with it."""
    table = Table(title="Medians in ms; rows that Postgres read a call (by index, by scanning)")
    table.add_column("operation")
    for size in sizes:
        table.add_column(f"{size:,} decisions", justify="right")
    table.add_column("ratio", justify="right")
    for size in sizes:
        table.add_column(f"rows at {size:,}", justify="right")
    faults = []
    for name, found in operations.items():
        rows = [
            f"{found['rows_by_index'][str(size)]:.0f}, {found['rows_scanned'][str(size)]:.0f}"
            for size in sizes
        ]
        medians = [f"{found['median_ms'][str(size)]:.2f}" for size in sizes]
        table.add_row(name, *medians, f"{found['ratio']:.2f}", *rows)
        if found["ratio"] > LIMIT:
            faults.append(f"{name}: takes {found['ratio']} times as long on the larger store.")
        if found["rows_scanned"][str(sizes[1])]:
            faults.append(f"{name}: scans a table of the larger store.")
    console.print(table)
    return faults


if __name__ == "__main__":
    main()
