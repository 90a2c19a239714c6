"""The report of `calibrate`."""

from __future__ import annotations

from rich.console import Console

from scoring.counted import counted
from training.comparison.summary import comparison_table
from training.recalibration.run import Recalibration
from training.reporting.addresses import show_run
from training.reporting.tables import calibrators_table, print_line, titled_table


def show_recalibration(recalibration: Recalibration, console: Console) -> None:
    """Print the calibrators, the parts of the labels, figures before and after, and the version."""
    result, source = recalibration.result, recalibration.source
    console.print()
    console.print(
        calibrators_table(
            f"Calibrators for the booster of {source.name} version {source.version}",
            result.calibration,
            result.calibration.data(recalibration.labels.span),
            ".6f",
        )
    )
    columns = ("part", "from", "to", "transactions", "frauds")
    parts = titled_table("Labels", *columns, data=recalibration.labels.source, left=3)
    for part in result.parts:
        first, last = recalibration.labels.span(part.rows)
        parts.add_row(part.name, first, last, f"{part.row_count:,}", f"{part.fraud_count:,}")
    console.print(parts)
    comparison = result.comparison
    console.print(
        comparison_table(
            "Test part, used once",
            f"{' to '.join(recalibration.labels.span(result.parts[-1].rows))}, "
            f"{counted(comparison.transactions, 'transaction')}, "
            f"{counted(comparison.frauds, 'fraud')}",
            comparison,
            "before",
            "after",
        )
    )
    for note in recalibration.labels.notes:
        print_line(console, note)
    if recalibration.version is None:
        print_line(console, recalibration.why_not, style="bold")
    else:
        print_line(
            console,
            f"Registered {recalibration.version.name} version {recalibration.version.version} as "
            f"candidate: version {source.version}'s booster, recalibrated "
            f"({result.calibration.chosen}), threshold {result.model.policy.threshold:.4g}.",
            style="bold",
        )
    show_run(recalibration.run_id, recalibration.run_url, console)
