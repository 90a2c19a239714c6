"""`make bench-store`: measure pages and look-ups in a small and a large decision log.

Two databases of one embedded Postgres hold a year of decisions each, one a hundred times as many as
the other. They are measured in turn, so that the machine's noise affects both equally. Postgres's
counts of the rows it read show whether a table was scanned. The results go to results/store.json.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from benchmarks.reporting.environment import commit, machine
from benchmarks.store.operations import OPERATIONS, open_store
from sentinel.errors import Command
from sentinel.local.postgres.embedded import EmbeddedPostgres
from sentinel.local.terminal import open_console

RESULTS = Path(__file__).parents[1] / "results" / "store.json"
ROWS = (100_000, 10_000_000)
LIMIT = 2.0
"""Largest allowed ratio of a median in the larger database to that in the smaller."""
_WARM_UP = 30


@click.command(cls=Command)
@click.option(
    "--rows",
    "sizes",
    type=click.IntRange(min=1000),
    multiple=True,
    default=ROWS,
    show_default=True,
    help="Decisions in a database; give it twice, the smaller first.",
)
@click.option("--repetitions", default=300, show_default=True, type=click.IntRange(min=1))
@click.option(
    "--home",
    type=click.Path(path_type=Path, file_okay=False),
    help="Keep the databases here for another run.  [default: a temporary directory]",
)
@click.option("--output", default=RESULTS, show_default=True, type=click.Path(path_type=Path))
def main(sizes: tuple[int, ...], repetitions: int, home: Path | None, output: Path) -> None:
    """Fill and measure two databases; fail where the larger takes over twice as long."""
    if len(sizes) != 2 or sizes[0] >= sizes[1]:
        raise click.UsageError("give --rows twice, the smaller first")
    console = open_console()
    with home_or_temporary(home) as folder, EmbeddedPostgres(folder) as url:
        stores = [open_store(url, rows, console) for rows in sizes]
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


@contextmanager
def home_or_temporary(home: Path | None) -> Iterator[Path]:
    """Yield the directory, or a temporary one that is removed afterwards."""
    if home:
        yield home
        return
    folder = Path(tempfile.mkdtemp(prefix="sentinel-bench-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


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
    """Print the comparison; return a sentence about each missed limit."""
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
            faults.append(f"{name}: takes {found['ratio']} times as long in the larger database.")
        if found["rows_scanned"][str(sizes[1])]:
            faults.append(f"{name}: scans a table of the larger database.")
    console.print(table)
    return faults
