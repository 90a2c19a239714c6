"""The summary that `evaluate` prints."""

from __future__ import annotations

from rich.console import Console

from training.comparison.evaluate_version import Judgement
from training.reporting.metric_formats import FIGURES
from training.reporting.tables import calibration_table, titled_table


def show_judgement(judged: Judgement, console: Console) -> None:
    """Print the figures of a registered model on a period."""
    version = judged.version
    console.print(
        f"[bold]{version.name} version {version.version}[/bold] on {judged.row_count:,} "
        f"transactions, {judged.fraud_count:,} frauds, of the hours {judged.first_step} "
        f"to {judged.last_step}",
        soft_wrap=True,
    )
    table = titled_table("Figures; in brackets 95 % bootstrap intervals", "", "")
    for figure in FIGURES:
        table.add_row(figure.label, figure.show(judged.evaluation))
    table.add_row(
        "of the frauds that do not empty the account, caught",
        f"{judged.hard_caught:,} of {judged.hard_count:,}",
    )
    console.print(table)
    console.print(calibration_table(judged.evaluation))
    console.print(f"Threshold {judged.model.policy.threshold:.4g}.", highlight=False)
