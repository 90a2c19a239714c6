"""`calibrate`: fit a new calibrator and threshold to a registered booster on newer labels."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import click

from registry.names import CANDIDATE, CHALLENGER, PRODUCTION, model_name
from sentinel.local.terminal import open_console
from training.cli import label_options, options
from training.cli.config_file import configuration
from training.signals import end_on_signals


@click.command()
@options.tenant_option
@label_options.labelled_data
@options.from_step
@options.until_step
@click.option(
    "--from-feedback",
    is_flag=True,
    help="Use stored decisions with their labels, instead of a file.",
)
@label_options.maturity_days
@label_options.window_days
@label_options.as_of
@click.option(
    "--alias",
    type=click.Choice([PRODUCTION, CHALLENGER, CANDIDATE]),
    default=PRODUCTION,
    show_default=True,
    help="Recalibrate the version under this alias.",
)
def calibrate(
    tenant: str,
    data: Path | None,
    from_step: int | None,
    until_step: int | None,
    from_feedback: bool,
    maturity_days: float,
    window_days: float,
    as_of: datetime | None,
    alias: str,
) -> None:
    """Recalibrate a registered version on newer labels, and register it as `candidate`.

    The booster does not change by a byte. The labels are cut by time: the earliest half of the
    frauds is for the calibrator, the next fifth for the threshold, at the same costs, and the rest
    for reliability before and after. A version is registered only if it is better calibrated on
    that rest.
    """
    if (data is None) is not from_feedback:
        raise click.UsageError("Give either --data FILE or --from-feedback.")
    label_options.require_data_for_steps(data, from_step, until_step)
    options.check_data(data)
    end_on_signals()
    # Imported late: MLflow and LightGBM take seconds to load, also for a usage error.
    from persistence.labels.reader import read_matured_transactions
    from training.cli.context import MAX_ROWS, open_sources
    from training.data.labels import from_feedback as labels_from_feedback
    from training.data.labels import from_file
    from training.data.maturity_window import Window
    from training.progress import Reporter
    from training.recalibration.report import show_recalibration
    from training.recalibration.run import run_recalibration

    window = Window(maturity_days, window_days, as_of)
    console = open_console()
    with Reporter(console) as reporter:
        sources = open_sources(reporter)
        if data:
            version = sources.under(tenant, model_name(tenant), alias)
            model = sources.verified(version)
            transactions = sources.labelled(data, model.features.event_type)
            first = sources.unseen([version], transactions, "calibrate", from_step)
            labels = from_file(transactions, first, until_step)
        else:
            with sources.store(tenant) as store, reporter.stage("Read matured transactions"):
                version = sources.under(tenant, store.tenant.model_name, alias)
                matured = read_matured_transactions(
                    store.engine,
                    store.tenant.id,
                    maturity_days=maturity_days,
                    window_days=window_days,
                    limit=MAX_ROWS,
                    as_of=window.end(),
                )
            labels = labels_from_feedback(matured, window)
            model = sources.verified(version)
        recalibration = run_recalibration(
            tenant,
            version,
            model,
            sources.booster(version),
            labels,
            sources.tracking,
            reporter,
            configuration(),
        )
    show_recalibration(recalibration, console)
    if recalibration.version is None:
        raise click.exceptions.Exit(1)
