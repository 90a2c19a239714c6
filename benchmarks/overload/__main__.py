"""`python -m benchmarks.overload`: how many payments are decided while too many clients ask.

Closed-loop clients that repeat a refused request at once load one service process. In each round
everything is measured in turn, and the ratios are of the figures of the same round.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import click

from benchmarks.load.testbed import PROJECT
from benchmarks.reporting.environment import commit, machine
from sentinel.errors import Command

RESULTS = Path(__file__).parents[1] / "results" / "overload.json"

Round = Mapping[str, Mapping[str, float]]
"""Figures by the name of what was measured."""


@click.command(cls=Command)
@click.option("--rounds", default=5, show_default=True, type=click.IntRange(min=1))
@click.option("--seconds", default=4.0, show_default=True, type=click.FloatRange(min=0.1))
@click.option(
    "--tree",
    default=PROJECT,
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Project whose service is measured.  [default: this one]",
)
@click.option(
    "--home",
    default=Path(".sentinel/bench-overload"),
    show_default=True,
    type=click.Path(path_type=Path, file_okay=False),
)
@click.option("--output", default=RESULTS, show_default=True, type=click.Path(path_type=Path))
def main(rounds: int, seconds: float, tree: Path, home: Path, output: Path) -> None:
    """Measure goodput and latency at 1 to 1024 clients and at 4096, and beside a flood."""
    # Imported here, because the imports take seconds, which `--help` and usage errors do not need.
    from benchmarks.load.testbed import Testbed
    from benchmarks.models import prepare
    from benchmarks.overload.lanes import CLIENTS, OVERLOAD, Lanes
    from registry.client.proxies import reach_loopback_directly
    from sentinel.local.terminal import open_console, stop_on_signals

    console = open_console(soft_wrap=True)
    stop_on_signals()
    reach_loopback_directly()
    found: list[Round] = []
    with ExitStack() as resources:
        testbed = Testbed(home.resolve(), resources)
        model = prepare("medium", testbed.home, testbed.tracking, testbed.mlflow.url, None)
        lanes = Lanes(testbed, model.registered, tree.resolve())
        for number in range(1, rounds + 1):
            figures = lanes.fairness(seconds)
            for clients in (*CLIENTS, OVERLOAD):
                figures[f"{clients} clients"] = lanes.overload(clients, seconds)
            for name, one in figures.items():
                shown = ", ".join(f"{key} {value:,.1f}" for key, value in one.items())
                console.print(f"round {number} of {rounds}, {name}: {shown}")
            found.append(figures)
    results = {
        "command": f"python -m benchmarks.overload --rounds {rounds} --seconds {seconds:g}",
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit(),
        "machine": machine(),
        "rounds": found,
        "ratios": _ratios(found, f"{OVERLOAD} clients"),
    }
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps(results, indent=2) + "\n")
    console.print(results["ratios"])


def _ratios(found: Sequence[Round], overload: str) -> dict[str, dict[str, float]]:
    """Return median and range over the rounds of what the goals are about."""
    ratios = {
        "goodput in an overload, of the peak": [
            each[overload]["goodput"] / max(one["goodput"] for one in each.values())
            for each in found
        ],
        "p99 in an overload, of one client's": [
            each[overload]["p99_ms"] / each["1 clients"]["p99_ms"] for each in found
        ],
        "p99 beside a flood, of that beside what may be sent": [
            each["beside its flood"]["p99_ms"] / each["beside what the other may send"]["p99_ms"]
            for each in found
        ],
        "p99 beside a flood, of that alone": [
            each["beside its flood"]["p99_ms"] / each["alone"]["p99_ms"] for each in found
        ],
    }
    return {
        name: {"median": statistics.median(of), "min": min(of), "max": max(of)}
        for name, of in ratios.items()
    }


if __name__ == "__main__":
    main()
