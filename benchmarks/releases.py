"""Compare this tree's service with that of an earlier release, on one Postgres and one MLflow.

    python -m benchmarks.releases --earlier ../sentinel-earlier

Both serve the same production model of PaySim from the same database, which has this tree's schema,
as in a rolling update. They receive the same loads in turn, and each round gives a ratio: a machine
that becomes slower slows both.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from contextlib import ExitStack
from pathlib import Path

import click

from sentinel.errors import Command

PROJECT = Path(__file__).resolve().parents[1]
LOADS = {"score_c1": (1, None), "score_c64": (64, None), "batch_1000": (1, 1000)}
"""Clients, and payments of a request to /score/batch, by name."""


@click.command(cls=Command)
@click.option(
    "--earlier",
    required=True,
    type=click.Path(path_type=Path, exists=True, file_okay=False, resolve_path=True),
    help="Tree of the earlier release, installed in its .venv or running in this one's.",
)
@click.option("--rounds", default=16, show_default=True, type=click.IntRange(min=1))
@click.option("--seconds", default=2.0, show_default=True, type=click.FloatRange(min=0.1))
@click.option(
    "--home",
    default=Path(".sentinel/bench-releases"),
    show_default=True,
    type=click.Path(path_type=Path, file_okay=False),
)
def main(earlier: Path, rounds: int, seconds: float, home: Path) -> None:
    """Put the same loads on this service and on an earlier release's, in turn."""
    # Imported here, because the imports take seconds, which `--help` and usage errors do not need.
    from benchmarks.history.report import figures
    from benchmarks.load.clients import Endpoint, run_load
    from benchmarks.load.cpu import Meter
    from benchmarks.load.payloads import SENTINEL
    from benchmarks.load.testbed import Testbed
    from benchmarks.models import prepare
    from benchmarks.reporting.paired import paired_table
    from registry.client.proxies import reach_loopback_directly
    from sentinel.local.terminal import open_console, stop_on_signals

    console = open_console(soft_wrap=True)
    stop_on_signals()
    reach_loopback_directly()
    found: dict[tuple[str, str], list[dict[str, float]]] = defaultdict(list)
    with ExitStack() as resources:
        testbed = Testbed(home.resolve(), resources)
        model = prepare("medium", testbed.home, testbed.tracking, testbed.mlflow.url, None)
        database, key = testbed.tenant("bench_releases", model.registered)
        services = {}
        for name, tree in (("earlier", earlier), ("now", PROJECT)):
            testbed.service_python = _python(tree)
            child, port = testbed.serve(name, database, tree)
            services[name] = (Meter(child.identity[0], testbed.home), port)
        headers = {"Authorization": f"Bearer {key}"}
        for number in range(1, rounds + 1):
            for name, (clients, rows) in LOADS.items():
                path = SENTINEL.score_path if rows is None else str(SENTINEL.batch_path)
                bodies = SENTINEL.bodies(rows)
                for which in ("earlier", "now") if number % 2 else ("now", "earlier"):
                    meter, port = services[which]
                    endpoint = Endpoint("127.0.0.1", port, path, headers)
                    load = run_load(endpoint, bodies, clients, seconds, meter.usage, seconds / 4)
                    found[name, which].append(figures(load, rows or 1))
            console.print(f"round {number} of {rounds}")
    console.print(paired_table("earlier", "now", found))


def _python(tree: Path) -> str:
    own = tree / ".venv" / "bin" / "python"
    return str(own) if own.exists() else sys.executable


if __name__ == "__main__":
    main()
