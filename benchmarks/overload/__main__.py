"""`python -m benchmarks.overload`: how many payments are decided while too many clients ask.

Closed-loop clients that repeat a refused request at once load one service process. In each round
every number of clients is measured in turn, and the ratios are of the figures of the same round.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from benchmarks.load.testbed import PROJECT
from benchmarks.reporting.environment import commit, machine
from sentinel.errors import Command

if TYPE_CHECKING:
    from benchmarks.load.clients import Endpoint
    from benchmarks.load.testbed import Testbed

RESULTS = Path(__file__).parents[1] / "results" / "overload.json"
CLIENTS = (1, 16, 64, 256, 1024)
"""Numbers of clients of which the best goodput is the peak; four times the last is the overload."""
OVERLOAD = 4
WARM_UP_S = 3.0
"""Time in which the requests that were admitted before an overload began are answered."""

Figures = dict[str, float]


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
    """Measure goodput and latency at 1 to 1024 clients and at four times as many."""
    # Imported here, because the imports take seconds, which `--help` and usage errors do not need.
    from benchmarks.load.testbed import Testbed
    from benchmarks.models import prepare
    from registry.client.proxies import reach_loopback_directly
    from sentinel.local.terminal import open_console, stop_on_signals

    console = open_console(soft_wrap=True)
    stop_on_signals()
    reach_loopback_directly()
    counts = (*CLIENTS, CLIENTS[-1] * OVERLOAD)
    found: list[dict[int, Figures]] = []
    with ExitStack() as resources:
        testbed = Testbed(home.resolve(), resources)
        model = prepare("medium", testbed.home, testbed.tracking, testbed.mlflow.url, None)
        endpoint = _served(testbed, model.registered, tree.resolve())
        for number in range(1, rounds + 1):
            figures = {}
            for clients in counts:
                testbed.checkpoint()
                time.sleep(0.5)
                figures[clients] = _measured(endpoint, clients, seconds)
                shown = ", ".join(
                    f"{name} {value:,.1f}" for name, value in figures[clients].items()
                )
                console.print(f"round {number} of {rounds}, {clients} clients: {shown}")
            found.append(figures)
    results = {
        "command": f"python -m benchmarks.overload --rounds {rounds} --seconds {seconds}",
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit(),
        "machine": machine(),
        "rounds": [{str(clients): one for clients, one in each.items()} for each in found],
        "ratios": _ratios(found),
    }
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps(results, indent=2) + "\n")
    console.print(results["ratios"])


def _served(testbed: Testbed, registered: str, tree: Path) -> Endpoint:
    from benchmarks.load.clients import Endpoint

    database, key = testbed.tenant("bench_overload", registered)
    _, port = testbed.serve("overload", database, tree)
    return Endpoint("127.0.0.1", port, "/score", {"Authorization": f"Bearer {key}"})


def _measured(endpoint: Endpoint, clients: int, seconds: float) -> Figures:
    from benchmarks.load.payloads import SENTINEL
    from benchmarks.overload.crowd import Crowd, run_crowds

    (answers,) = run_crowds(
        [Crowd("all", endpoint, clients)], SENTINEL.bodies(None), seconds, WARM_UP_S
    )
    if answers.other or answers.closed or answers.without_retry_after:
        raise click.ClickException(f"Other answers than 200 and 429 with Retry-After: {answers}.")
    return {
        "goodput": answers.goodput,
        "refused": len(answers.refused_ms) / answers.seconds,
        "p50_ms": answers.percentile_ms(50),
        "p99_ms": answers.percentile_ms(99),
    }


def _ratios(found: Sequence[dict[int, Figures]]) -> dict[str, dict[str, float]]:
    """Return the ratios of the overload to the peak, and to one client, by round."""
    overload = CLIENTS[-1] * OVERLOAD
    goodput = [
        each[overload]["goodput"] / max(figures["goodput"] for figures in each.values())
        for each in found
    ]
    p99 = [each[overload]["p99_ms"] / each[1]["p99_ms"] for each in found]
    return {
        name: {"median": statistics.median(of), "min": min(of), "max": max(of)}
        for name, of in {"goodput_of_peak": goodput, "p99_of_unloaded": p99}.items()
    }


if __name__ == "__main__":
    main()
