"""What `calibrate` prints."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from training.comparison.summary import comparison_table, say
from training.recalibration.run import Recalibration


def show_recalibration(done: Recalibration, console: Console) -> None:
    """Print what chose what, reliability before and after, and what was registered."""
    result, source = done.result, done.source
    console.print()
    table = Table(
        title=f"Calibrators of {source.name} version {source.version}'s booster, on labels that "
        "none was fitted on",
        title_justify="left",
        title_style="bold",
        header_style="dim",
    )
    table.add_column("calibrator")
    for name in ("log loss", "Brier", "ECE"):
        table.add_column(name, justify="right")
    for tried in result.calibration.comparisons:
        if tried.kind != "uncalibrated":  # which is what `identity` is
            is_chosen = tried.kind == result.calibration.chosen
            table.add_row(
                f"{tried.kind} (chosen)" if is_chosen else tried.kind,
                f"{tried.log_loss:.6f}",
                f"{tried.brier:.6f}",
                f"{tried.ece:.6f}",
                style="bold" if is_chosen else None,
            )
    console.print(table)
    parts = Table(title="Labels", title_justify="left", title_style="bold", header_style="dim")
    for name in ("part", "from", "to"):
        parts.add_column(name)
    for name in ("transactions", "frauds"):
        parts.add_column(name, justify="right")
    for part in result.parts:
        first, last = done.labels.span(part.rows)
        parts.add_row(part.name, first, last, f"{part.row_count:,}", f"{part.fraud_count:,}")
    console.print(parts)
    comparison = result.comparison
    console.print(
        comparison_table(
            f"Test part, used once: {comparison.transactions:,} transactions, "
            f"{comparison.frauds:,} frauds",
            comparison,
            "before",
            "after",
        )
    )
    for note in done.labels.notes:
        say(console, note)
    if done.version is None:
        say(console, done.why_not, style="bold")
    else:
        say(
            console,
            f"Registered {done.version.name} version {done.version.version} as candidate: version "
            f"{source.version}'s booster, calibrated anew ({result.calibration.chosen}), threshold "
            f"{result.model.policy.threshold:.4g}.",
            style="bold",
        )
    say(console, f"Run: {done.run_url or done.run_id}")
