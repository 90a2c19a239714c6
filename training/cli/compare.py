"""`compare`: champion against challenger on labels, with intervals."""

from __future__ import annotations

from pathlib import Path

import click
from rich.console import Console

from registry.names import CHALLENGER, PRODUCTION, model_name
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
def compare(
    tenant: str,
    data: Path | None,
    from_step: int | None,
    until_step: int | None,
    maturity_days: float,
    window_days: float,
) -> None:
    """Show champion and challenger side by side: money, alerts, calibration, agreement.

    The champion is the version under the alias `production`, the challenger the one under
    `challenger`. They are compared on stored decisions that both scored, one of them in shadow, and
    that are old enough for their frauds to be known; with --data, on a labelled file.
    """
    label_options.demand_data_for_steps(data, from_step, until_step)
    end_on_signals()
    # Imported late: MLflow and LightGBM take seconds that a usage error should not.
    from training.cli.context import open_sources
    from training.comparison.compare import compare as run
    from training.comparison.report import show_comparison
    from training.data.maturity_window import Window
    from training.progress import Reporter

    console = Console()
    with Reporter(console) as reporter:
        found = open_sources(reporter)
        if data:
            name = model_name(tenant)
            pair = found.under(name, PRODUCTION), found.under(name, CHALLENGER)
            evidence = found.file_evidence(data, *pair, from_step, until_step)
        else:
            with found.store(tenant) as store:
                name = store.tenant.model_name
                pair = found.under(name, PRODUCTION), found.under(name, CHALLENGER)
                window = Window(maturity_days, window_days)
                evidence = found.shadow_evidence(store, *pair, window)
        compared = run(tenant, *pair, evidence, found.tracking, reporter, configuration())
    show_comparison(compared, console)
