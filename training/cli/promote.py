"""`promote`: move the alias `production` to a version that is shown to be better."""

from __future__ import annotations

import os
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path

import click

from persistence.actor import Actor
from registry.names import CANDIDATE, CHALLENGER, PRODUCTION, model_name
from sentinel.command_actor import os_user
from sentinel.local.terminal import open_console
from training.cli import label_options, options
from training.cli.config_file import configuration
from training.signals import end_on_signals

COMMAND = "python -m training promote"


@click.command()
@options.tenant_option
@click.option(
    "--alias",
    type=click.Choice([CHALLENGER, CANDIDATE]),
    help=f"Promote the version under this alias.  [default: {CHALLENGER}]",
)
@click.option("--version", "number", type=click.IntRange(min=1), help="Promote this version.")
@label_options.labelled_data
@options.from_step
@options.until_step
@label_options.maturity_days
@label_options.window_days
@label_options.as_of
@click.option("--force", is_flag=True, help="Promote it even if it is not shown to be better.")
def promote(
    tenant: str,
    alias: str | None,
    number: int | None,
    data: Path | None,
    from_step: int | None,
    until_step: int | None,
    maturity_days: float,
    window_days: float,
    as_of: datetime | None,
    force: bool,
) -> None:
    """Verify a version as the service would, compare it with production, and move the alias.

    A version is promoted when the 95 % interval of its additional savings lies above 0, and the
    first one without a comparison. The challenger is compared on stored decisions that both
    versions scored. Any other version, and with --data the challenger too, is compared on a
    labelled file. Running services load the version within a second.
    """
    if alias and number:
        raise click.UsageError("--alias and --version exclude each other; give one of them.")
    label_options.require_data_for_steps(data, from_step, until_step)
    options.check_data(data)
    end_on_signals()
    # Imported late: MLflow and LightGBM take seconds to load, also for a usage error.
    from registry.client.base import RegisteredVersion
    from scoring.prediction import ModelVersion
    from scoring.transaction import PAYSIM
    from training.cli.context import open_sources
    from training.comparison.compare import Compared, compare
    from training.comparison.promote import NotBetter
    from training.comparison.promote import promote as run
    from training.comparison.report import show_comparison
    from training.data.maturity_window import Window
    from training.errors import NoEvidence, TrainingError
    from training.progress import Reporter
    from training.reporting.tables import print_line

    def chosen_version(name: str) -> RegisteredVersion:
        if number is None:
            return sources.under(tenant, name, alias or CHALLENGER)
        version = sources.registry.find(name, number)
        if version is None:
            raise TrainingError(f"{name} has no version {number}.")
        return version

    console = open_console()
    with Reporter(console) as reporter, ExitStack() as stack:
        sources = open_sources(reporter)
        name = model_name(tenant)
        # A first promotion needs no Postgres, and a tenant may not be in it yet.
        store = None
        if data is None and sources.registry.resolve(name, PRODUCTION) is not None:
            store = stack.enter_context(sources.store(tenant))
            name = store.tenant.model_name
        version = chosen_version(name)
        production = sources.registry.resolve(name, PRODUCTION)
        if version == production:
            console.print(f"{name} version {version.version} is in production already.")
            return
        model = sources.verified(version)
        misfit = store.misfit(model) if store else None

        def compared(production: RegisteredVersion) -> Compared:
            if data:
                evidence = sources.file_evidence(data, production, version, from_step, until_step)
            elif store and version == sources.registry.resolve(name, CHALLENGER):
                window = Window(maturity_days, window_days, as_of)
                evidence = sources.shadow_evidence(store, production, version, window)
            else:
                raise NoEvidence(
                    f"{name} version {version.version} has no shadow scores, because it is not the "
                    "challenger.",
                    f"Compare it on a labelled file with --data, or give it the alias "
                    f"`{CHALLENGER}` for a while.",
                )
            return compare(
                tenant, production, version, evidence, sources.tracking, reporter, configuration()
            )

        try:
            evidence, comparison = run(
                version,
                production,
                compared,
                promoter=promoter(),
                force=force,
                tracking=sources.tracking,
                registry=sources.registry,
            )
        except NotBetter as refusal:
            show_comparison(refusal.compared, console)
            raise
    if comparison:
        show_comparison(comparison, console)
    # The service refuses a version that does not fit, so the alias alone says nothing of it.
    waits = store is not None and store.tenant.four_eyes
    place = f"has the alias `{PRODUCTION}`" if misfit or waits else "is in production"
    print_line(console, f"{name} version {version.version} {place}. {evidence}", style="bold")
    if misfit:
        print_line(
            console,
            f"The service goes on with the version before, since this one does not fit the event "
            f"type in force: {misfit} `sentinel event-types apply` puts another one in force.",
            style="yellow",
        )
    elif production is None and store is None and model.features.event_type is not PAYSIM:
        print_line(
            console,
            f"It scores events of the type {model.features.event_type.name}, which has to be in "
            f"force: `sentinel event-types show --tenant {tenant}` shows the one that is, and "
            "`sentinel event-types apply` puts another one in force.",
        )
    if waits:
        print_line(
            console,
            "The tenant asks for four eyes: it serves once somebody else has approved it with "
            f"POST /models/{version.version}/approve.",
            style="yellow",
        )
    if url := sources.tracking.version_url(ModelVersion(version.name, version.version)):
        print_line(console, f"Version: {url}")


def promoter() -> Actor:
    """Return the user who promotes: the login at MLflow, else the user of the operating system."""
    return Actor(os.environ.get("MLFLOW_TRACKING_USERNAME") or os_user(), via=COMMAND)
