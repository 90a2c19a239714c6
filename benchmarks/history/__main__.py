"""`make bench-history`: measure what 40 windows add to a decision; write results/history.json."""

from __future__ import annotations

import json
import os
import statistics
import time
from collections import defaultdict
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import click
from rich.table import Table

from benchmarks.reporting.environment import commit, machine
from sentinel.errors import Command

RESULTS = Path(__file__).parents[1] / "results" / "history.json"


@click.command(cls=Command)
@click.option("--events", default=10_000_000, show_default=True, type=click.IntRange(min=1000))
@click.option("--hot-events", default=1_000_000, show_default=True, type=click.IntRange(min=0))
@click.option("--rounds", default=5, show_default=True, type=click.IntRange(min=1))
@click.option("--seconds", default=3.0, show_default=True, type=click.FloatRange(min=0.1))
@click.option(
    "--home",
    default=Path(".sentinel/bench-history"),
    show_default=True,
    type=click.Path(path_type=Path, file_okay=False),
)
@click.option("--output", default=RESULTS, show_default=True, type=click.Path(path_type=Path))
def main(
    events: int, hot_events: int, rounds: int, seconds: float, home: Path, output: Path
) -> None:
    """Score payments with 40 windows over two entities, and without, in turn.

    Both tenants are served by one process, with models of the same number of features and leaves.
    """
    # Imported here, because the imports take seconds, which `--help` and usage errors do not need.
    from benchmarks.history.events import Past, until_now
    from benchmarks.history.lane import LOADS, TENANTS, Lane
    from benchmarks.history.report import figures, ratios
    from benchmarks.load.testbed import Testbed
    from registry.client.proxies import reach_loopback_directly
    from sentinel.local.terminal import open_console, stop_on_signals

    console = open_console(soft_wrap=True)
    stop_on_signals()
    reach_loopback_directly()
    begun = time.monotonic()
    loads = {name: load for name, load in LOADS.items() if hot_events or not load.customer}
    found: dict[tuple[str, str], list[dict[str, float]]] = defaultdict(list)
    with ExitStack() as resources:
        testbed = Testbed(home.resolve(), resources)
        past = Past("with", events, hot_events, until_now())
        lane = Lane(testbed, past, console.print)
        for number in range(1, rounds + 1):
            for name, load in loads.items():
                for tenant in TENANTS:
                    if load.customer and tenant == "without":
                        continue
                    measured = figures(lane.measure(load, tenant, seconds), load.rows or 1)
                    found[name, tenant].append(measured)
                    console.print(
                        f"round {number} of {rounds}, {name}, {tenant} windows:"
                        f" {measured['rows_per_s']:,.0f} rows/s, p50 {measured['p50_ms']:.2f} ms"
                    )
    judged = ratios(found)
    results = {
        "command": "make bench-history",
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit(),
        "machine": machine(),
        "minutes": round((time.monotonic() - begun) / 60, 1),
        "events": events,
        "hot_events": hot_events,
        "rounds": rounds,
        "seconds": seconds,
        "medians": {
            f"{name}, {tenant} windows": {
                key: statistics.median(one[key] for one in rows) for key in rows[0]
            }
            for (name, tenant), rows in found.items()
        },
        "ratios": judged,
    }
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps(results, indent=2) + "\n")
    table = Table("", "goal", "measured", "range of rounds")
    for ratio in judged:
        table.add_row(*(str(value) for value in ratio.values()))
    console.print(table)
    console.print(f"Written to {os.path.relpath(output)}.")


if __name__ == "__main__":
    main()
