"""The summary that a training, or a judgement, ends with."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from training.evaluate import Evaluation
from training.figures import FIGURES
from training.judge import Judgement
from training.train import Trained

_CALIBRATED = ("log_loss", "brier", "ece")


def show(trained: Trained, console: Console) -> None:
    """Print what went in, how calibration and threshold were chosen, and how good it is."""
    learned, version = trained.learned, trained.version
    console.print()
    console.print(_parts(trained))
    console.print(_kinds(trained))
    figures = _table(
        "Test part, used once; in brackets 95 % bootstrap intervals",
        "", "split by time", "random split",
    )  # fmt: skip
    for figure in FIGURES:
        figures.add_row(figure.label, figure.show(learned.evaluation), figure.show(trained.random))
    console.print(figures)
    console.print(trained.random_note, highlight=False, soft_wrap=not console.is_terminal)
    console.print()
    console.print(_calibration(learned.evaluation))
    console.print(
        f"Threshold {learned.model.policy.threshold:.4g}; {learned.fitted.rounds} trees with "
        f"{learned.fitted.leaves:,} leaves.",
        highlight=False,
    )
    console.print(f"[bold]Registered {version.name} version {version.version}[/bold] as candidate.")
    show_addresses(trained.run_id, trained.run_url, trained.version_url, console)
    console.print(
        f"Look at its plots in MLflow, then move the alias `production` of {version.name} to it.",
        soft_wrap=True,
    )


def show_addresses(
    run_id: str, run_url: str | None, version_url: str | None, console: Console
) -> None:
    """Print where MLflow shows a run and a version, or the run's id where no server shows it."""
    console.print(f"Run: {run_url or run_id}", soft_wrap=True, highlight=False)
    if version_url is not None:
        console.print(f"Version: {version_url}", soft_wrap=True, highlight=False)


def show_judgement(judged: Judgement, console: Console) -> None:
    """Print how a registered model does on a stretch of time."""
    version = judged.version
    console.print(
        f"[bold]{version.name} version {version.version}[/bold] on {judged.row_count:,} "
        f"transactions, {judged.fraud_count:,} frauds, of the hours {judged.first_step} "
        f"to {judged.last_step}",
        soft_wrap=True,
    )
    table = _table("Figures; in brackets 95 % bootstrap intervals", "", "")
    for figure in FIGURES:
        table.add_row(figure.label, figure.show(judged.evaluation))
    table.add_row(
        "of the frauds that do not empty the account, caught",
        f"{judged.hard_caught:,} of {judged.hard_count:,}",
    )
    console.print(table)
    console.print(_calibration(judged.evaluation))
    console.print(f"Threshold {judged.model.policy.threshold:.4g}.", highlight=False)


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", header_style="dim")
    for index, column in enumerate(columns):
        table.add_column(column, justify="left" if index == 0 else "right")
    return table


def _parts(trained: Trained) -> Table:
    table = _table(f"Data: {trained.data.source}", "part", "steps", "rows", "frauds", "rate")
    for part in trained.parts:
        table.add_row(
            part.name,
            f"{part.first_step} to {part.last_step}",
            f"{part.row_count:,}",
            f"{part.fraud_count:,}",
            f"{part.fraud_count / part.row_count:.3%}",
        )
    return table


def _kinds(trained: Trained) -> Table:
    table = _table("Calibration, on data neither was fitted on", "kind", "log loss", "Brier", "ECE")
    calibration = trained.learned.calibration
    for row in calibration.comparisons:
        chosen = row.kind == calibration.calibrator.kind
        table.add_row(
            f"{row.kind} (chosen)" if chosen else row.kind,
            f"{row.log_loss:.3g}",
            f"{row.brier:.3g}",
            f"{row.ece:.3g}",
            style="bold" if chosen else None,
        )
    return table


def _calibration(evaluation: Evaluation) -> Table:
    table = _table("Probabilities before and after calibration", "", "before", "after")
    for figure in FIGURES:
        if figure.name in _CALIBRATED:
            before, after = evaluation.uncalibrated[figure.name], evaluation.metrics[figure.name]
            table.add_row(figure.label, figure.bare(before), figure.bare(after))
    return table
