"""`train`: train a model on labelled transactions and register it as `candidate`."""

from __future__ import annotations

from pathlib import Path

import click

from sentinel.local.terminal import open_console
from sentinel.settings import Settings
from training.cli import options
from training.signals import end_on_signals


@click.command()
@options.tenant_option
@options.event_type
@options.optional_data
@options.features
@options.busy_until_step
@options.cost
@options.missed_fraud
@options.missed_fraud_share
@options.false_alarm
@options.seed
def train(
    tenant: str,
    event_type: Path | None,
    data: Path | None,
    features: Path | None,
    until_step: int | None,
    cost: str,
    missed_fraud: float | None,
    missed_fraud_share: float | None,
    false_alarm: float | None,
    seed: int,
) -> None:
    """Fit, calibrate, choose the threshold, test, and register in MLflow as `candidate`.

    MLFLOW_TRACKING_URI is the address of MLflow; unset, MLflow is a database under .sentinel/.
    """
    costs = options.cost_model(cost, missed_fraud, missed_fraud_share, false_alarm)
    options.check_event_type(event_type, data)
    options.check_data(data, has_paysims_columns=event_type is None)
    end_on_signals()
    # Imported late: MLflow, LightGBM and scikit-learn take seconds to load, also for a usage error.
    from training.cli.context import connect_to_train
    from training.cli.plan import read_plan
    from training.progress import Reporter
    from training.train import train as run
    from training.train_report import show

    console = open_console()
    with Reporter(console) as reporter:
        plan = read_plan(tenant, data, event_type, features, until_step, costs, seed)
        tracking = connect_to_train(Settings(), tenant, data, reporter)
        trained = run(plan, tracking, reporter)
    show(trained, console)
