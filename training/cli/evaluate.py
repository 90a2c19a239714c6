"""`evaluate`: how a registered version does on labelled transactions."""

from __future__ import annotations

from pathlib import Path

import click
from rich.console import Console

from registry.names import PRODUCTION, model_name
from sentinel.settings import Settings
from training.cli import options
from training.errors import TrainingError
from training.signals import end_on_signals


@click.command()
@options.tenant_option
@options.required_data
@options.from_step
@options.until_step
@click.option(
    "--alias", default=PRODUCTION, show_default=True, help="Which version of fraud-TENANT."
)
def evaluate(
    tenant: str, data: Path, from_step: int | None, until_step: int | None, alias: str
) -> None:
    """Judge a registered version on labelled transactions, such as those of the next month.

    Nothing is fitted, chosen or registered; the figures are logged as a run. Figures on hours that
    the version was trained on say nothing of the future.
    """
    end_on_signals()
    from registry.client.base import RegistryUnavailable
    from registry.client.factory import open_registry
    from registry.publish.tracking import PublishError, Tracking
    from registry.store.model_store import ModelStore
    from scoring.errors import ModelRefused
    from training.cli.config_file import configuration
    from training.comparison.evaluate_version import judge, log
    from training.comparison.evaluation_report import show_judgement
    from training.data.loading import read
    from training.progress import Reporter
    from training.reporting.tables import show_addresses

    settings = Settings()
    settings.home_path.mkdir(parents=True, exist_ok=True)
    name = model_name(tenant)
    console = Console()
    try:
        with Reporter(console) as reporter:
            with reporter.stage("Connect to MLflow"):
                tracking = Tracking(settings.tracking_uri, settings.artifact_root)
                registry = open_registry(settings.tracking_uri)
                version = registry.resolve(name, alias)
            if version is None:
                raise TrainingError(f"{name} has no version under the alias {alias}.")
            with reporter.stage(f"Load version {version.version}"):
                model = ModelStore(registry, settings.model_cache).load(version)
            with reporter.stage(f"Read {data.name}"):
                transactions = read(data)
            with reporter.stage("Judge"):
                judged = judge(model, transactions, from_step, until_step)
            with reporter.stage("Log to MLflow"):
                run = log(judged, transactions, tenant, configuration(), tracking)
    except ModelRefused as error:
        raise click.ClickException(error.detail) from error
    except (TrainingError, PublishError, RegistryUnavailable, ValueError) as error:
        raise click.ClickException(str(error)) from error
    show_judgement(judged, console)
    show_addresses(run.id, tracking.url(run), tracking.version_url(judged.version), console)
