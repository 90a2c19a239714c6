"""`calibrate`: a new calibrator and threshold for a registered booster, from newer labels."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click
from rich.console import Console

from registry.names import CANDIDATE, CHALLENGER, PRODUCTION, model_name
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
    help="Use the stored decisions with what analysts said of them, instead of a file.",
)
@label_options.maturity_days
@label_options.window_days
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
    alias: str,
) -> None:
    """Recalibrate a registered version on newer labels, and register it as `candidate`.

    The booster stays as it is, to the byte. Half of the frauds, the earliest, choose and fit the
    calibrator, the next fifth the threshold, for the same costs; the rest shows reliability before
    and after. A version is registered only if it is better calibrated there.
    """
    if (data is None) is not from_feedback:
        raise click.UsageError("Give either --data FILE or --from-feedback.")
    label_options.demand_data_for_steps(data, from_step, until_step)
    end_on_signals()
    # Imported late: MLflow and LightGBM take seconds that a usage error should not.
    from persistence.labels.reader import read_matured_transactions
    from training.cli.context import MAX_ROWS, open_sources
    from training.data.labels import from_feedback as labels_from_feedback
    from training.data.labels import from_file
    from training.data.maturity_window import Window
    from training.progress import Reporter
    from training.recalibration.report import show_recalibration
    from training.recalibration.run import run_recalibration

    console = Console()
    with Reporter(console) as reporter:
        found = open_sources(reporter)
        if data:
            version = found.under(model_name(tenant), alias)
            transactions = found.labelled(data)
            first = found.unseen(version, transactions, "calibrate", from_step)
            given = from_file(transactions, first, until_step)
        else:
            with found.store(tenant) as store, reporter.stage("Read matured transactions"):
                version = found.under(store.tenant.model_name, alias)
                matured = read_matured_transactions(
                    store.engine,
                    store.tenant.id,
                    maturity_days=maturity_days,
                    window_days=window_days,
                    limit=MAX_ROWS,
                    now=datetime.now(UTC),
                )
            given = labels_from_feedback(matured, Window(maturity_days, window_days))
        model = found.verified(version)
        done = run_recalibration(
            tenant,
            version,
            model,
            found.booster(version),
            given,
            found.tracking,
            reporter,
            configuration(),
        )
    show_recalibration(done, console)
    if done.version is None:
        raise click.exceptions.Exit(1)
