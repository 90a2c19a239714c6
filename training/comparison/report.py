"""The report of `compare` and `promote`."""

from __future__ import annotations

from rich.console import Console

from scoring.counted import counted
from training.comparison.compare import Compared
from training.comparison.summary import comparison_table
from training.reporting.addresses import show_run
from training.reporting.tables import print_line


def show_comparison(compared: Compared, console: Console) -> None:
    """Print both sides with their intervals, the verdict, and the address of the run."""
    figures = compared.comparison
    console.print()
    console.print(
        comparison_table(
            "Figures",
            f"{figures.transactions:,} {compared.over}, {counted(figures.frauds, 'fraud')}",
            figures,
            f"version {compared.champion.version} (champion)",
            f"version {compared.challenger.version} (challenger)",
        )
    )
    console.print(
        f"Equal decisions: {figures.agreement:.2%}. Reviewing exactly the frauds would save "
        f"{figures.perfect:,.0f}.",
    )
    print_line(console, compared.sentence, style="bold")
    for note in compared.notes:
        print_line(console, note)
    show_run(compared.run_id, compared.run_url, console)
