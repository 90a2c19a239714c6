"""`evaluate`: evaluate a registered version on labelled transactions."""

from __future__ import annotations

from pathlib import Path

import click

from registry.names import PRODUCTION, model_name
from sentinel.local.terminal import open_console
from training.cli import options
from training.signals import end_on_signals


@click.command()
@options.tenant_option
@options.required_data
@options.from_step
@options.until_step
@click.option(
    "--alias", default=PRODUCTION, show_default=True, help="Alias of the version of fraud-TENANT."
)
def evaluate(
    tenant: str, data: Path, from_step: int | None, until_step: int | None, alias: str
) -> None:
    """Evaluate a registered version on labelled transactions, such as those of the next month.

    Nothing is fitted, chosen or registered; the figures are logged as a run. Figures on hours that
    the version was trained on do not predict future performance.
    """
    options.check_data(data)
    end_on_signals()
    # Imported late: MLflow and LightGBM take seconds to load, also for a usage error.
    from training.cli.config_file import configuration
    from training.cli.context import open_sources
    from training.comparison.evaluate_version import evaluate_version, log
    from training.comparison.evaluation_report import show_evaluation
    from training.progress import Reporter
    from training.reporting.addresses import show_addresses

    console = open_console()
    with Reporter(console) as reporter:
        sources = open_sources(reporter)
        version = sources.under(tenant, model_name(tenant), alias)
        with reporter.stage(f"Load version {version.version}"):
            model = sources.model_store.load(version)
        transactions = sources.labelled(data, model.features.event_type)
        with reporter.stage("Evaluate"):
            evaluated = evaluate_version(model, transactions, from_step, until_step)
        with reporter.stage("Log to MLflow"):
            run = log(evaluated, transactions, tenant, configuration(), sources.tracking)
    show_evaluation(evaluated, console)
    url = sources.tracking.url(run)
    show_addresses(run.id, url, sources.tracking.version_url(evaluated.version), console)
