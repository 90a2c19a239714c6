"""`sentinel monitor`: measure drift and store it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import click

from persistence import tenants
from persistence.drift.bin_counts import Window
from persistence.engine import OPERATOR_TIMEOUT_S
from persistence.monitoring.job_runs import record_job
from registry.client.factory import open_registry
from sentinel.cli.connection import connected_database
from sentinel.local.terminal import open_console, step
from sentinel.operations.drift_monitor import monitor, parse_window, show


def _length(_context: click.Context, _option: click.Parameter, value: str) -> timedelta:
    try:
        return parse_window(value)
    except ValueError as error:
        raise click.BadParameter(f"{error}.") from error


@click.command("monitor")
@click.option(
    "--window",
    "length",
    default="24h",
    show_default=True,
    callback=_length,
    help="How far back to look, in hours or days, such as 24h or 7d.",
)
@click.option("--tenant", help="The slug of the only tenant to look at.  [default: all]")
def monitor_drift(length: timedelta, tenant: str | None) -> None:
    """Measure how far stored predictions have drifted from what their model was trained on.

    Run it every hour; an alert fires when it is late. GET /drift and the metrics report the latest
    run of each tenant; exit status 0 whether anything drifts or not.
    """
    until = datetime.now(UTC)
    window = Window(until - length, until)
    with connected_database(OPERATOR_TIMEOUT_S) as (engine, settings):
        owners = [tenants.find_tenant(engine, tenant)] if tenant else tenants.list_tenants(engine)
        with step("Comparing stored predictions with training"):
            runs = list(monitor(engine, open_registry(settings.tracking_uri), owners, window))
        if not tenant:
            record_job(engine, "monitor")
    if not runs:
        click.echo("No version is in production and none decided in the window; nothing to store.")
        return
    show(runs, window, open_console())
