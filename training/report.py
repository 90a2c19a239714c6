"""The summary that a training ends with."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from scoring.model import FraudModel
from training.evaluate import Evaluation
from training.judge import Judgement
from training.train import Trained


def show(trained: Trained, console: Console) -> None:
    """Print what went in, how calibration and threshold were chosen, and how good it is."""
    console.print()
    console.print(_parts(trained))
    console.print(_calibration(trained))
    console.print(_quality("Test part, used once", trained.evaluation))
    decisions = _decisions("Decisions on the test part", trained.model, trained.evaluation)
    decisions.add_row("trees, leaves", f"{trained.fitted.rounds}, {trained.fitted.leaves:,}")
    console.print(decisions)
    version = trained.version
    console.print(f"[bold]Registered {version.name} version {version.version}[/bold] as candidate.")
    if trained.run_url:
        console.print(f"Run: {trained.run_url}", soft_wrap=True)
    else:
        console.print(f"Run: {trained.run_id}")
    console.print(
        f"Look at its plots in MLflow, then move the alias `production` of {version.name} to it.",
        soft_wrap=True,
    )


def show_judgement(judged: Judgement, console: Console) -> None:
    """Print how a registered model does on a stretch of time."""
    version = judged.model.version
    name = f"{version.name} version {version.version}" if version else "the model"
    console.print(
        f"[bold]{name}[/bold] on {judged.row_count:,} transactions, {judged.fraud_count:,} frauds, "
        f"of the hours {judged.first_step} to {judged.last_step}",
        soft_wrap=True,
    )
    console.print(_quality("Probabilities", judged.evaluation))
    decisions = _decisions("Decisions", judged.model, judged.evaluation)
    decisions.add_row(
        "of the frauds that do not empty the account, caught",
        f"{judged.hard_caught:,} of {judged.hard_count:,}",
    )
    console.print(decisions)


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


def _calibration(trained: Trained) -> Table:
    table = _table("Calibration, on data neither was fitted on", "kind", "log loss", "Brier", "ECE")
    chosen = trained.calibration.calibrator.kind
    for row in trained.calibration.comparisons:
        table.add_row(
            f"{row.kind} (chosen)" if row.kind == chosen else row.kind,
            f"{row.log_loss:.6f}",
            f"{row.brier:.6f}",
            f"{row.ece:.6f}",
            style="bold" if row.kind == chosen else None,
        )
    return table


def _quality(title: str, evaluation: Evaluation) -> Table:
    table = _table(title, "", "before calibration", "after")
    for label, name in (
        ("PR-AUC", "pr_auc"),
        ("ROC-AUC", "roc_auc"),
        ("Brier", "brier"),
        ("log loss", "log_loss"),
        ("ECE", "ece"),
    ):
        before, after = evaluation.uncalibrated[name], evaluation.metrics[name]
        table.add_row(label, f"{before:.6f}", f"{after:.6f}")
    return table


def _decisions(title: str, model: FraudModel, evaluation: Evaluation) -> Table:
    figures = evaluation.metrics
    table = _table(title, "", "")
    table.add_row("threshold", f"{model.policy.threshold:.4g}")
    table.add_row("precision", f"{figures['precision']:.2%}")
    table.add_row("recall", f"{figures['recall']:.2%}")
    table.add_row(
        "alerts",
        f"{figures['alerts']:,.0f} ({figures['false_alarms']:,.0f} false, "
        f"{figures['missed_frauds']:,.0f} frauds missed)",
    )
    table.add_row("net savings", f"{figures['net_savings']:,.0f}")
    table.add_row("share of perfect", f"{figures['net_savings_share']:.2%}")
    return table
