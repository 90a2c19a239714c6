"""`make bench`: measure every system side by side in one run; write results/latest.json."""

from __future__ import annotations

import os
import time
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console

from benchmarks.config import EVERYTHING, QUICK, SIZES, SYSTEMS, TINY, Plan
from benchmarks.reporting.environment import command, commit, machine
from sentinel.errors import CommandGroup

if TYPE_CHECKING:
    from benchmarks.runner import Measured

RESULTS = Path(__file__).with_name("results") / "latest.json"
TABLE_WIDTH = 150


class _Names(click.ParamType[tuple[str, ...]]):
    """A parameter type: comma-separated names of a set."""

    name = "name,..."

    def __init__(self, known: tuple[str, ...]) -> None:
        self._known = known

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, ...]:
        """Split the names and check each."""
        if not isinstance(value, str):
            return tuple(value) if isinstance(value, tuple) else ()
        names = tuple(name.strip() for name in value.split(",") if name.strip())
        for name in names:
            if name not in self._known:
                self.fail(f"{name!r} is none of {', '.join(self._known)}.", param, ctx)
        return names


@click.group(cls=CommandGroup, invoke_without_command=True)
@click.option("--quick", is_flag=True, help="Only what the targets' ratios need.")
@click.option("--systems", type=_Names(SYSTEMS), help="Comma-separated.  [default: all]")
@click.option(
    "--sizes",
    type=_Names((TINY, *SIZES)),
    help="Of models, comma-separated; the ratios are of the first.  [default: medium,small,large]",
)
@click.option("--rounds", default=EVERYTHING.rounds, show_default=True, type=click.IntRange(min=1))
@click.option(
    "--seconds",
    default=EVERYTHING.seconds,
    show_default=True,
    type=click.FloatRange(min=0.1),
    help="Length of one measurement.",
)
@click.option(
    "--data",
    envvar="DATA",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="File that the small model is trained on.  [default: the simulator]",
)
@click.option(
    "--here", is_flag=True, help="Run the service in this environment, not in the Bento's."
)
@click.option(
    "--home", default=Path(".sentinel/bench"), show_default=True, type=click.Path(path_type=Path)
)
@click.option("--output", default=RESULTS, show_default=True, type=click.Path(path_type=Path))
@click.pass_context
def main(
    context: click.Context,
    quick: bool,
    systems: tuple[str, ...] | None,
    sizes: tuple[str, ...] | None,
    rounds: int,
    seconds: float,
    data: Path | None,
    here: bool,
    home: Path,
    output: Path,
) -> None:
    """Start every system on this machine, put the same load on each in turn, and compare.

    When interrupted, it writes the results so far.
    """
    if context.invoked_subcommand:
        return
    # Imported here, because the imports take seconds, which `--help` and usage errors do not need.
    from benchmarks.reporting.results import document, show, written
    from benchmarks.runner import Measured
    from registry.client.proxies import reach_loopback_directly
    from sentinel.local.terminal import open_console, stop_on_signals

    plan = QUICK if quick else EVERYTHING
    plan = replace(
        plan,
        systems=systems or plan.systems,
        sizes=sizes or plan.sizes,
        rounds=rounds,
        seconds=seconds,
    )
    console = open_console(soft_wrap=True)
    console.width = max(console.width, TABLE_WIDTH)
    about: dict[str, Any] = {
        "command": command(),
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit(),
        "machine": machine(),
        "rounds": rounds,
        "seconds": seconds,
        "models": {},
    }
    measured = Measured()
    explained: dict[str, Any] = {}
    begun = time.monotonic()
    interrupted = False
    stop_on_signals()
    reach_loopback_directly()
    try:
        _measure(plan, home.resolve(), data, here, about, measured, explained, console)
    except KeyboardInterrupt:
        interrupted = True
    about["minutes"] = round((time.monotonic() - begun) / 60, 1)
    results = document(about, measured, plan.sizes[0], explained)
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(written(results) + "\n")
    show(results, console)
    console.print(f"Written to {os.path.relpath(output)} after {about['minutes']} minutes.")
    if interrupted:
        raise SystemExit(130)
    if not measured.cells:
        raise click.ClickException("Nothing could be measured.")


def _measure(
    plan: Plan,
    home: Path,
    data: Path | None,
    here: bool,
    about: dict[str, Any],
    measured: Measured,
    explained: dict[str, Any],
    console: Console,
) -> None:
    from benchmarks.explain import compare
    from benchmarks.load.testbed import InstallError, Testbed
    from benchmarks.models import ModelError, prepare
    from benchmarks.runner import run_rounds
    from training.errors import TrainingError

    begun = time.monotonic()

    def report_step(step: str) -> None:
        console.print(f"{time.monotonic() - begun:6.0f} s  {step}")

    with ExitStack() as resources:
        report_step("starting Postgres and MLflow")
        testbed = Testbed(home, resources)
        about["postgres"] = testbed.postgres_settings()
        about["service_environment"] = "this environment"
        if not here:
            report_step("installing requirements/serving.lock if necessary")
            try:
                testbed.install_service()
                about["service_environment"] = "requirements/serving.lock, as in the Bento"
            except InstallError as error:
                measured.errors["service_environment", "all"] = str(error)
                report_step(f"the service runs in this environment, with more packages: {error}")
        models = []
        for size in plan.sizes:
            try:
                model = prepare(size, home, testbed.tracking, testbed.mlflow.url, data)
            except (ModelError, TrainingError) as error:
                measured.errors["model", size] = str(error)
                report_step(f"{size} model: {error}")
                continue
            models.append(model)
            about["models"][size] = model.facts
            report_step(
                f"{size} model: {model.facts['trees']} trees, {model.facts['leaves']:,} leaves"
            )
        for model in models:
            try:
                explained[model.size] = compare(model, plan.seconds)
            except ValueError as error:
                measured.errors["explanation", model.size] = str(error)
            report_step(f"{model.size} model: explained")
        run_rounds(plan, testbed, models, measured, report_step)


@main.command()
@click.option("--results", default=RESULTS, show_default=True, type=click.Path(path_type=Path))
@click.option(
    "--page",
    default=Path("docs/performance.md"),
    show_default=True,
    type=click.Path(path_type=Path),
)
def report(results: Path, page: Path) -> None:
    """Write the results between the markers of the page, and draw its picture."""
    from benchmarks.reporting.report import refresh

    refresh(results, page)
    click.echo(f"{page} and its picture show {results}.")


if __name__ == "__main__":
    main()
