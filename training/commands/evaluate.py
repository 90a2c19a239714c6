"""`evaluate`: how a registered version does on labelled transactions."""

from __future__ import annotations

from pathlib import Path

import click
from rich.console import Console

from registry.names import PRODUCTION, model_name
from sentinel.settings import Settings
from training.commands import options
from training.errors import TrainingError


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

    Nothing is fitted, chosen or registered. Figures on hours that the version was trained on say
    nothing of the future.
    """
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
