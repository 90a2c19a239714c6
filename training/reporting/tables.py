"""Tables and addresses that every report prints alike."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table


def show_addresses(
    run_id: str, run_url: str | None, version_url: str | None, console: Console
) -> None:
    """Print where MLflow shows a run and a version, or the run's id where no server shows it."""
    console.print(f"Run: {run_url or run_id}", soft_wrap=True, highlight=False)
    if version_url is not None:
        console.print(f"Version: {version_url}", soft_wrap=True, highlight=False)


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", header_style="dim")
    for index, column in enumerate(columns):
        table.add_column(column, justify="left" if index == 0 else "right")
    return table
