"""`make bench-console`: how long each page of the console takes in a large decision log.

    python -m benchmarks.console --rows 1000000

One tenant has a year of decisions, a payee with 100,000 payments, cases, lists and logs. Its
administrator reads every page, with filters that find much and nothing, over HTTP from the
management application, without BentoML, as the service's role. The results go to
results/console.json.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, NamedTuple

import click
import httpx
from rich.table import Table
from sqlalchemy import Engine

from benchmarks.reporting.environment import commit, machine
from sentinel.errors import Command

if TYPE_CHECKING:
    from benchmarks.load.cpu import Meter

RESULTS = Path(__file__).parents[1] / "results" / "console.json"
_LIMITS_MS = ((1_500_000, 100.0), (15_000_000, 200.0))
"""Largest allowed median by the most decisions of the tenant."""
_WARM_UP = 2
_SLOW_S = 1.0
"""Time from which three repetitions are enough."""


class Timed(NamedTuple):
    """What was measured of a page.

    Attributes:
        fastest_ms: shortest time, milliseconds; other programs take part in it least.
        median_ms: median time.
        p95_ms: time within which 95 % of the requests were answered.
        cpu_ms: CPU time of Postgres, the application and the client, a request; what other programs
            do changes it little.
        size_bytes: size of the page.
        rows_scanned: rows of growing tables that Postgres read without an index, a request.
        rows_by_index: entries of indexes that it read.
        status: status of the reply, such as 503 where a statement took longer than it may.
    """

    fastest_ms: float
    median_ms: float
    p95_ms: float
    cpu_ms: float
    size_bytes: int
    rows_scanned: float
    rows_by_index: float
    status: int


@click.command(cls=Command)
@click.option("--rows", default=1_000_000, show_default=True, type=click.IntRange(min=1000))
@click.option("--repetitions", default=20, show_default=True, type=click.IntRange(min=2))
@click.option("--only", default="", help="Time only the pages whose name contains this.")
@click.option(
    "--home",
    type=click.Path(path_type=Path, file_okay=False),
    help="Keep the database here for another run.  [default: a temporary directory]",
)
@click.option("--output", default=RESULTS, show_default=True, type=click.Path(path_type=Path))
def main(rows: int, repetitions: int, only: str, home: Path | None, output: Path) -> None:
    """Time every page of the console; fail where one takes longer than it may, or scans a table."""
    # Imported here, because the imports take seconds, which `--help` does not need.
    from benchmarks.console.database import open_filled, serving, signed_in
    from benchmarks.console.pages import EXPORTS, addresses
    from benchmarks.load.cpu import Meter
    from benchmarks.store.comparison import home_or_temporary
    from persistence.engine import open_database
    from persistence.tenancy import SERVICE_ROLE
    from sentinel.local.postgres.embedded import EmbeddedPostgres
    from sentinel.local.terminal import open_console

    console = open_console()
    with home_or_temporary(home) as folder, EmbeddedPostgres(folder) as url:
        filled = open_filled(url, rows, console)
        owner = open_database(filled, pool_size=1)
        service = open_database(filled, role=SERVICE_ROLE, pool_size=3)
        meter = Meter(os.getpid(), folder)
        with serving(service) as address, signed_in(owner, address) as client:
            pages = [page for page in addresses(client) if only in page[0]]
            with console.status("measuring"):
                timed = {
                    name: _time(client, path, repetitions, (owner, service), meter)
                    for name, path in pages
                }
                exports = {
                    name: _time(client, path, 3, (owner, service), meter)
                    for name, path in EXPORTS.items()
                }
        for engine in (owner, service):
            engine.dispose()
    console.print(_table(timed | exports))
    results = {
        "command": f"python -m benchmarks.console --rows {rows}",
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit(),
        "machine": machine(),
        "repetitions": repetitions,
        "pages": {name: found._asdict() for name, found in timed.items()},
        "exports": {name: found._asdict() for name, found in exports.items()},
    }
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps(results, indent=2) + "\n")
    if faults := _faults(timed, rows):
        sys.exit("\n".join(faults))


def _time(
    client: httpx.Client, path: str, repetitions: int, pools: tuple[Engine, Engine], meter: Meter
) -> Timed:
    from benchmarks.console.rows_read import rows_read

    for _ in range(_WARM_UP):
        begun = perf_counter()
        reply = client.get(path)
        is_slow = perf_counter() - begun > _SLOW_S
    repetitions = 3 if is_slow else repetitions
    before, times_ms = rows_read(*pools), []
    client.get("/console/settings")  # opens the connections again
    used = meter.usage()
    for _ in range(repetitions):
        begun = perf_counter()
        reply = client.get(path)
        times_ms.append((perf_counter() - begun) * 1e3)
    now = meter.usage()
    cpu_s = now.service_s - used.service_s + now.postgres_s - used.postgres_s
    read = rows_read(*pools).since(before, repetitions)
    p95_ms = statistics.quantiles(times_ms, n=20, method="inclusive")[-1]
    times = (min(times_ms), statistics.median(times_ms), p95_ms, cpu_s * 1e3 / repetitions)
    return Timed(*times, len(reply.content), *read, reply.status_code)


def _table(timed: dict[str, Timed]) -> Table:
    table = Table("page")
    for column in (
        *("fastest ms", "median ms", "p95 ms", "CPU ms"),
        *("kB", "rows scanned", "by index"),
    ):
        table.add_column(column, justify="right")
    for name, found in timed.items():
        times = (f"{one:.1f}" for one in found[:4])
        rows = (f"{one:,.0f}" for one in found[5:7])
        table.add_row(name, *times, f"{found.size_bytes / 1000:.1f}", *rows)
    return table


def _faults(timed: dict[str, Timed], rows: int) -> list[str]:
    limit_ms = next((ms for most, ms in _LIMITS_MS if rows <= most), _LIMITS_MS[-1][1])
    slow = [
        f"{name}: {found.median_ms:.0f} ms, more than {limit_ms:.0f}."
        for name, found in timed.items()
        if found.median_ms > limit_ms
    ]
    scans = [
        f"{name}: scans {found.rows_scanned:,.0f} rows of a growing table."
        for name, found in timed.items()
        if found.rows_scanned >= 1
    ]
    failed = [
        f"{name}: fails with status {found.status}."
        for name, found in timed.items()
        if found.status != HTTPStatus.OK
    ]
    return [*slow, *scans, *failed]
