"""`python -m training train --tenant SLUG [--data FILE]`."""

from __future__ import annotations

import re
import signal
import sys
from pathlib import Path
from types import FrameType

import click
from rich.console import Console

from registry.names import PRODUCTION, model_name
from scoring.policy import CostModel
from sentinel.settings import Settings
from training.errors import TrainingError

TENANT = re.compile(r"[a-z][a-z0-9-]{1,39}")
COSTS = {"flat": CostModel(), "amount": CostModel(0.0, 1.0, 5.0)}


def _tenant(context: click.Context, parameter: click.Parameter, value: str) -> str:
    del context, parameter
    if not TENANT.fullmatch(value):
        raise click.BadParameter(
            "use 2 to 40 lower-case letters, digits and dashes, a letter first."
        )
    return value


@click.group()
def cli() -> None:
    """From labelled transactions to a registered model version."""


@cli.command()
@click.option("--tenant", required=True, callback=_tenant, help="The tenant's slug.")
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    help="CSV or Parquet in the PaySim schema. Without it a month is simulated.",
)
@click.option(
    "--until-step",
    type=click.IntRange(min=0),
    help="Last hour to use. Without it, the end of the data less a tail of days without traffic.",
)
@click.option(
    "--cost",
    type=click.Choice(tuple(COSTS)),
    default="flat",
    show_default=True,
    help="flat: a missed fraud costs 1,000; amount: what was stolen. A false alarm costs 5.",
)
@click.option("--missed-fraud", type=float, help="Cost of a missed fraud, instead of --cost's.")
@click.option("--missed-fraud-share", type=float, help="Plus this share of its amount.")
@click.option("--false-alarm", type=float, help="Cost of a false alarm.")
@click.option("--seed", type=click.IntRange(min=0), default=7, show_default=True)
def train(
    tenant: str,
    data: Path | None,
    until_step: int | None,
    cost: str,
    missed_fraud: float | None,
    missed_fraud_share: float | None,
    false_alarm: float | None,
    seed: int,
) -> None:
    """Fit, calibrate, choose the threshold, test, and register in MLflow as `candidate`.

    MLFLOW_TRACKING_URI says where MLflow is; unset, it is a database under .sentinel/.
    """
    costs = _costs(cost, missed_fraud, missed_fraud_share, false_alarm)
    if data is not None and not data.is_file():
        raise click.ClickException(f"{data} is not a file.")
    signal.signal(signal.SIGTERM, _stop)
    # Imported late: MLflow, LightGBM and scikit-learn take seconds that `--help` should not.
    from registry.publish import PublishError, Tracking
    from training.progress import Reporter
    from training.report import show
    from training.train import Plan
    from training.train import train as run

    settings = Settings()
    settings.home_path.mkdir(parents=True, exist_ok=True)
    console = Console()
    try:
        with Reporter(console) as reporter:
            with reporter.stage("Connect to MLflow"):
                tracking = Tracking(settings.tracking_uri, settings.artifact_root)
            trained = run(Plan(tenant, data, until_step, costs, seed), tracking, reporter)
    except (TrainingError, PublishError) as error:
        raise click.ClickException(str(error)) from error
    show(trained, console)


@cli.command()
@click.option("--tenant", required=True, callback=_tenant, help="The tenant's slug.")
@click.option(
    "--data",
    required=True,
    type=click.Path(path_type=Path),
    help="CSV or Parquet in the PaySim schema, with labels.",
)
@click.option("--from-step", type=click.IntRange(min=0), help="First hour.  [default: all]")
@click.option("--until-step", type=click.IntRange(min=0), help="Last hour.  [default: all]")
@click.option(
    "--alias", default=PRODUCTION, show_default=True, help="Which version of fraud-TENANT."
)
def evaluate(
    tenant: str, data: Path, from_step: int | None, until_step: int | None, alias: str
) -> None:
    """Judge a registered version on labelled transactions, such as those of the next month.

    Nothing is fitted, chosen or registered. Figures on hours that the version was trained on say
    nothing of the future.
    """
    if not data.is_file():
        raise click.ClickException(f"{data} is not a file.")
    from registry.reader import RegistryUnavailable, open_registry
    from registry.shelf import Shelf
    from scoring.errors import ModelRefused
    from training.data import read
    from training.judge import judge
    from training.report import show_judgement

    settings = Settings()
    name = model_name(tenant)
    try:
        registry = open_registry(settings.tracking_uri)
        version = registry.resolve(name, alias)
        if version is None:
            raise click.ClickException(f"{name} has no version under the alias {alias}.")
        model = Shelf(registry, settings.model_cache).load(version)
        judged = judge(model, read(data), from_step, until_step)
    except ModelRefused as error:
        raise click.ClickException(error.detail) from error
    except (TrainingError, RegistryUnavailable, ValueError) as error:
        raise click.ClickException(str(error)) from error
    show_judgement(judged, Console())


def _costs(
    name: str, missed: float | None, missed_share: float | None, false_alarm: float | None
) -> CostModel:
    base = COSTS[name]
    try:
        return CostModel(
            base.missed_fraud if missed is None else missed,
            base.missed_fraud_share if missed_share is None else missed_share,
            base.false_alarm if false_alarm is None else false_alarm,
        )
    except ValueError as error:
        raise click.UsageError(f"The costs cannot be used: {error}.") from error


def _stop(number: int, frame: FrameType | None) -> None:
    """End as an exception does, so that the open run is marked failed."""
    del frame
    sys.exit(128 + number)


if __name__ == "__main__":
    cli(prog_name="python -m training")
