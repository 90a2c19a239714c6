"""Summarise a comparison in a sentence, a table, and figures for MLflow."""

from __future__ import annotations

from dataclasses import asdict, fields
from typing import Any

from rich.table import Table

from scoring.evaluation.bootstrap import Interval
from scoring.evaluation.comparison import Comparison, Figures
from scoring.prediction import ModelVersion
from training.reporting.tables import titled_table

_ROWS = (
    ("net savings", "net_savings", ",.0f"),
    ("alerts", "alerts", ",.0f"),
    ("frauds caught", "caught", ",.0f"),
    ("frauds missed", "missed", ",.0f"),
    ("false alarms", "false_alarms", ",.0f"),
    ("ECE", "ece", ".6f"),
    ("log loss", "log_loss", ".6f"),
    ("Brier", "brier", ".6f"),
)


def with_interval(figure: Interval, form: str) -> str:
    """Return a figure with its 95 % interval in brackets."""
    return f"{figure.value:{form}} ({figure.low:{form}} to {figure.high:{form}})"


def verdict(
    comparison: Comparison, champion: ModelVersion, challenger: ModelVersion, over: str
) -> str:
    """Return a sentence on how much money the challenger saves more or less.

    Args:
        comparison: figures of both versions.
        champion: version in production.
        challenger: version that is compared with it.
        over: transactions that they were compared on, such as `matured transactions`.
    """
    difference = comparison.difference
    interval = f"(95 %: {difference.low:,.0f} to {difference.high:,.0f})"
    if difference.low == difference.high == 0:
        saves = "saves exactly as much as"
    elif difference.value < 0:
        saves = f"saves {-difference.value:,.0f} less {interval} than"
    else:
        saves = f"saves {difference.value:,.0f} more {interval} than"
    doubt = ""
    if difference.value > 0 and not comparison.is_better:
        doubt = "; the interval includes 0, so it is not shown to be better"
    return (
        f"{challenger.name} version {challenger.version} {saves} version {champion.version} over "
        f"{comparison.transactions:,} {over}{doubt}."
    )


def comparison_table(
    title: str, data: str, comparison: Comparison, champion: str, challenger: str
) -> Table:
    """Return both sides' figures with their intervals.

    Args:
        title: first part of the line above the table.
        data: phrase on the transactions.
        comparison: figures of both sides.
        champion: heading of the champion's column.
        challenger: heading of the challenger's column.
    """
    table = titled_table(title, "with 95 % intervals", champion, challenger, data=data)
    for label, name, form in _ROWS:
        first, second = getattr(comparison.champion, name), getattr(comparison.challenger, name)
        table.add_row(label, with_interval(first, form), with_interval(second, form))
    return table


def metrics(comparison: Comparison, champion: str, challenger: str) -> dict[str, float]:
    """Return every figure by the name it is logged under, with `_low` and `_high`.

    Args:
        comparison: figures of both sides.
        champion: prefix of the champion's figures.
        challenger: prefix of the challenger's figures.
    """
    intervals: dict[str, Interval] = {"net_savings_difference": comparison.difference}
    for side, figures in ((champion, comparison.champion), (challenger, comparison.challenger)):
        for field in fields(Figures):
            intervals[f"{side}_{field.name}"] = getattr(figures, field.name)
    flat = {
        f"{name}{suffix}": value
        for name, figure in intervals.items()
        for suffix, value in (("", figure.value), ("_low", figure.low), ("_high", figure.high))
    }
    return flat | {
        "transactions": float(comparison.transactions),
        "frauds": float(comparison.frauds),
        "agreement": comparison.agreement,
        "net_savings_perfect": comparison.perfect,
    }


def as_json(comparison: Comparison) -> dict[str, Any]:
    """Return the comparison as JSON-ready numbers."""
    return asdict(comparison) | {"is_better": comparison.is_better}
