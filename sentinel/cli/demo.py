"""`sentinel demo` and `sentinel stop`: the whole system on one machine."""

from __future__ import annotations

import os
from contextlib import ExitStack, suppress
from pathlib import Path

import click

from registry.client.proxies import reach_loopback_directly
from sentinel.local.demo.demo import Demo, stop_leftovers
from sentinel.local.terminal import console, stop_on_signals
from sentinel.settings import Settings


@click.command("demo")
@click.option(
    "--data",
    envvar="DATA",
    type=click.Path(path_type=Path),
    help="Train on this CSV or Parquet file, in the PaySim schema unless --label is given.  "
    "[default: the simulator]",
)
@click.option("--label", envvar="LABEL", help="The column of --data that has the labels.")
@click.option(
    "--time",
    envvar="TIME",
    help="The column of --data that has the time of each event, with --label.  "
    "[default: the most likely one]",
)
@click.option("--port", envvar="PORT", default=3000, type=click.IntRange(1, 65535))
@click.option("--mlflow-port", envvar="MLFLOW_PORT", default=5000, type=click.IntRange(1, 65535))
def demo(
    data: Path | None, label: str | None, time: str | None, port: int, mlflow_port: int
) -> None:
    """Train, promote and serve a model on this machine until Ctrl-C."""
    settings = Settings().model_copy(update={"database_url": None})
    ready = False
    stop_on_signals()
    reach_loopback_directly()
    _forget_other_mlflow()
    try:
        with ExitStack() as stack:
            running = Demo(settings, data, label, time, port, mlflow_port, stack)
            running.prepare()
            running.serve()
            ready = True
            running.show()
            running.watch()
    except KeyboardInterrupt:
        # The terminal may be gone.
        with suppress(OSError):
            console.print("Stopped.")
        raise SystemExit(0 if ready else 130) from None


def _forget_other_mlflow() -> None:
    """Remove MLflow's settings from the environment: the demo runs an MLflow of its own.

    A login, a run or a workspace of another server must not reach it.
    """
    for variable in [name for name in os.environ if name.startswith("MLFLOW_")]:
        del os.environ[variable]


@click.command("stop")
def stop() -> None:
    """Stop the programs that a killed demo has left running."""
    home = Settings().home_path
    if not home.is_dir():
        return
    if stop_leftovers(home):
        click.echo("Stopped what was left running.")
