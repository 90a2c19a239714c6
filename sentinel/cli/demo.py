"""`sentinel demo` and `sentinel stop`: the whole system on one machine."""

from __future__ import annotations

import os
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from registry.client.proxies import reach_loopback_directly
from sentinel.local.demo.demo import Demo, stop_leftovers
from sentinel.local.demo.errors import DemoError
from sentinel.local.terminal import console, stop_on_signals
from sentinel.settings import Settings


class _Port(click.IntRange):
    """A port; the error of one that the environment has, as from `make demo PORT=`, names that."""

    def __init__(self) -> None:
        super().__init__(1, 65535)

    def convert(
        self,
        value: Any,  # noqa: ANN401 - click's
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> int:
        """Return the number of a port.

        Raises:
            DemoError: the environment has none.
            click.BadParameter: the command line has none.
        """
        try:
            return super().convert(value, param, ctx)
        except click.BadParameter as error:
            source = ctx.get_parameter_source(param.name or "") if ctx and param else None
            if param and source is ParameterSource.ENVIRONMENT:
                raise DemoError(
                    f"{param.envvar}={value}: a port is a number from 1 to 65535."
                ) from error
            raise click.BadParameter(
                f"{value!r} is no port, a number from 1 to 65535.", ctx, param
            ) from error


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
@click.option(
    "--port",
    envvar="PORT",
    default=3000,
    show_default=True,
    metavar="PORT",
    type=_Port(),
    help="Port of the service.",
)
@click.option(
    "--mlflow-port",
    envvar="MLFLOW_PORT",
    default=5000,
    show_default=True,
    metavar="PORT",
    type=_Port(),
    help="Port of MLflow.",
)
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
    stopped = stop_leftovers(home) if home.is_dir() else []
    click.echo(f"Stopped {' and '.join(stopped)}." if stopped else "Nothing was left running.")
