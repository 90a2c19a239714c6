"""The summary that `evaluate` prints."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from scoring.counted import counted
from scoring.features import PAYSIM_FEATURES
from training.comparison.evaluate_version import VersionEvaluation
from training.reporting.metric_formats import FIGURES
from training.reporting.tables import calibration_table, titled_table


def show_evaluation(evaluated: VersionEvaluation, console: Console) -> None:
    """Print the figures of a registered model on a period."""
    version = evaluated.version
    console.print(
        Text.assemble(
            (f"{version.name} version {version.version}", "bold"),
            f" on {counted(evaluated.row_count, 'transaction')}, "
            f"{counted(evaluated.fraud_count, 'fraud')}, of the "
            f"{evaluated.data}",
        ),
        soft_wrap=True,
    )
    table = titled_table("Figures, with 95 % bootstrap intervals", "", "", data=evaluated.data)
    for figure in FIGURES:
        table.add_row(figure.label, figure.show(evaluated.evaluation))
    if evaluated.model.features is PAYSIM_FEATURES:
        table.add_row(
            "of the frauds that do not empty the account, caught",
            f"{evaluated.hard_caught:,} of {evaluated.hard_count:,}",
        )
    console.print(table)
    console.print(calibration_table(evaluated.evaluation, evaluated.data))
    console.print(f"Threshold {evaluated.model.policy.threshold:.4g}.")
