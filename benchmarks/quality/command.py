"""`make bench-quality`: the published experiment through the service; write the figures."""

from __future__ import annotations

import json
import os
import time
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import click

from benchmarks.quality.published import GOALS
from benchmarks.reporting.environment import commit, machine
from sentinel.errors import Command

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results" / "quality.json"
PAGE = ROOT / "docs" / "quality.md"
OWN_FIELDS = Path(__file__).with_name("own_fields.yaml")


@click.command(cls=Command)
@click.option(
    "--data",
    envvar="DATA",
    type=click.Path(path_type=Path),
    help="Parquet file of the Fraud Detection Handbook's simulated payments.",
)
@click.option(
    "--home",
    default=Path(".sentinel/bench-quality"),
    show_default=True,
    type=click.Path(path_type=Path, file_okay=False),
)
@click.option("--output", default=RESULTS, show_default=True, type=click.Path(path_type=Path))
@click.option("--page", default=PAGE, show_default=True, type=click.Path(path_type=Path))
def main(data: Path | None, home: Path, output: Path, page: Path) -> None:
    """Train on the time before the published test week, and score that week in order of time.

    The service reads each payment's windows from Postgres, where the payments before the week are
    imported with their labels, each known 7 days after its payment.
    """
    # Imported here, because the imports take seconds, which `--help` and usage errors do not need.
    from benchmarks.load.testbed import Testbed
    from benchmarks.quality.data import MISSING, cut
    from benchmarks.quality.experiment import BATCH, Experiment
    from benchmarks.quality.report import show, write_page
    from registry.client.proxies import reach_loopback_directly
    from sentinel.local.terminal import open_console, stop_on_signals

    if data is None or not data.is_file():
        raise click.ClickException(MISSING)
    console = open_console(soft_wrap=True)
    stop_on_signals()
    reach_loopback_directly()
    about = {
        "command": "make bench-quality",
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit(),
        "machine": machine(),
    }
    begun = time.monotonic()
    with ExitStack() as resources:
        testbed = Testbed(home.resolve(), resources)
        files = cut(data, testbed.home)
        experiment = Experiment(testbed, files, console.print)
        models = {
            "with windows": experiment.run("windows"),
            "own fields only": experiment.run("own-fields", OWN_FIELDS),
        }
    results = {
        **about,
        "minutes": round((time.monotonic() - begun) / 60, 1),
        "test": files.payments.summary(),
        "batch": BATCH,
        "goals": GOALS,
        "models": {name: {**one.figures, **one.facts} for name, one in models.items()},
    }
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps(results, indent=2) + "\n")
    write_page(results, page)
    show(results, console)
    console.print(f"Written to {os.path.relpath(output)} and {os.path.relpath(page)}.")
