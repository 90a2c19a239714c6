"""`compare`: compare champion and challenger on labelled transactions, with intervals."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import click

from registry.names import CHALLENGER, PRODUCTION, model_name
from sentinel.local.terminal import open_console
from training.cli import label_options, options
from training.cli.config_file import configuration
from training.signals import end_on_signals


@click.command()
@options.tenant_option
@label_options.labelled_data
@options.from_step
@options.until_step
@label_options.maturity_days
@label_options.window_days
@label_options.as_of
def compare(
    tenant: str,
    data: Path | None,
    from_step: int | None,
    until_step: int | None,
    maturity_days: float,
    window_days: float,
    as_of: datetime | None,
) -> None:
    """Show champion and challenger side by side: money, alerts, calibration, agreement.

    The champion is the version under the alias `production`, the challenger the one under
    `challenger`. They are compared on stored decisions that both scored, one of them in shadow, and
    that are old enough for their frauds to be known; with --data, on a labelled file.
    """
    label_options.require_data_for_steps(data, from_step, until_step)
    options.check_data(data)
    end_on_signals()
    # Imported late: MLflow and LightGBM take seconds to load, also for a usage error.
    from training.cli.context import open_sources
    from training.comparison.compare import compare as run
    from training.comparison.report import show_comparison
    from training.data.maturity_window import Window
    from training.progress import Reporter

    console = open_console()
    with Reporter(console) as reporter:
        sources = open_sources(reporter)
        if data:
            name = model_name(tenant)
            pair = sources.under(tenant, name, PRODUCTION), sources.under(tenant, name, CHALLENGER)
            evidence = sources.file_evidence(data, *pair, from_step, until_step)
        else:
            with sources.store(tenant) as store:
                name = store.tenant.model_name
                pair = (
                    sources.under(tenant, name, PRODUCTION),
                    sources.under(tenant, name, CHALLENGER),
                )
                window = Window(maturity_days, window_days, as_of)
                evidence = sources.shadow_evidence(store, *pair, window)
        compared = run(tenant, *pair, evidence, sources.tracking, reporter, configuration())
    show_comparison(compared, console)
