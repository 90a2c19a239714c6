"""Lines with the addresses of runs and versions in MLflow."""

from __future__ import annotations

from shlex import quote

from rich.console import Console

from scoring.redaction import redacted
from sentinel.settings import Settings
from training.reporting.tables import print_line


def show_addresses(
    run_id: str, run_url: str | None, version_url: str | None, console: Console
) -> None:
    """Print the addresses of a run and a version in MLflow, or the run's id without a server."""
    show_run(run_id, run_url, console)
    if version_url is not None:
        print_line(console, f"Version: {version_url}")


def show_run(
    run_id: str,
    run_url: str | None,
    console: Console,
    *,
    what: str = "Run",
    has_command: bool = True,
) -> None:
    """Print the address of a run; without a server, its id and the command that shows it.

    Args:
        run_id: id of the run.
        run_url: address of the run's page; None: MLflow is a database.
        console: console of the command.
        what: name of the run in front of the address.
        has_command: whether the command that shows it is printed where there is no server.
    """
    print_line(console, f"{what}: {run_url or run_id}")
    if run_url is None and has_command:
        print_line(console, f"To look at it: {_command_of_the_ui(Settings().tracking_uri)}")


def _command_of_the_ui(uri: str) -> str:
    """Return the command that shows the runs of an MLflow that is a database, in a browser.

    It names the variable in place of a URI with a login.
    """
    shown = quote(uri) if redacted(uri) == uri else '"$MLFLOW_TRACKING_URI"'
    return f"mlflow ui --backend-store-uri {shown}"
