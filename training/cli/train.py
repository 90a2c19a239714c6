"""`train`: train a model on labelled transactions and register it as `candidate`."""

from __future__ import annotations

from pathlib import Path

import click

from scoring.event_type.fields import EventType
from scoring.feature_set.feature_set import FeatureSet
from scoring.transaction import PAYSIM
from sentinel.local.terminal import open_console
from sentinel.settings import Settings
from training.cli import options
from training.signals import end_on_signals


@click.command()
@options.tenant_option
@options.event_type
@options.optional_data
@options.feature_set
@options.busy_until_step
@options.cost
@options.missed_fraud
@options.missed_fraud_share
@options.false_alarm
@options.seed
def train(
    tenant: str,
    event_type: EventType | None,
    data: Path | None,
    feature_set: FeatureSet | None,
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
    end_on_signals()
    # Imported late: MLflow, LightGBM and scikit-learn take seconds to load, also for a usage error.
    from training.cli.config_file import configuration
    from training.cli.context import connect_to_train
    from training.progress import Reporter
    from training.train import Plan
    from training.train import train as run
    from training.train_report import show

    console = open_console()
    with Reporter(console) as reporter:
        tracking = connect_to_train(Settings(), tenant, data, reporter)
        plan = Plan(
            tenant,
            data,
            until_step,
            costs,
            seed,
            event_type=event_type or PAYSIM,
            feature_set=feature_set,
            configuration=configuration(),
        )
        trained = run(plan, tracking, reporter)
    show(trained, console)
