"""What `compare` and `promote` print."""

from __future__ import annotations

from rich.console import Console

from training.comparison.compare import Compared
from training.comparison.summary import comparison_table, say


def show_comparison(compared: Compared, console: Console) -> None:
    """Print both sides with their intervals, what it comes to, and where it is logged."""
    figures = compared.comparison
    console.print()
    console.print(
        comparison_table(
            f"{figures.transactions:,} transactions, {figures.frauds:,} frauds",
            figures,
            f"version {compared.champion.version} (champion)",
            f"version {compared.challenger.version} (challenger)",
        )
    )
    console.print(
        f"Equal decisions: {figures.agreement:.2%}. Reviewing exactly the frauds would save "
        f"{figures.perfect:,.0f}.",
        highlight=False,
    )
    say(console, compared.sentence, style="bold")
    for note in compared.notes:
        say(console, note)
    say(console, f"Run: {compared.run_url or compared.run_id}")
