"""The figures as a table of the terminal, and as a page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.quality.published import GOALS, PUBLISHED

COLUMNS = {
    "average_precision": "average precision",
    "auc": "AUC",
    "card_precision_100": "card precision@100",
    "ece": "ECE",
    "log_loss": "log loss",
}
_PAGE = Path(__file__).with_name("page.md")


def show(results: Mapping[str, Any], console: Console) -> None:
    """Print the figures as a table."""
    table = Table(title="The published test, 2018-08-08 to 08-14")
    table.add_column("model")
    for title in COLUMNS.values():
        table.add_column(title, justify="right")
    for name, figures in _rows(results):
        table.add_row(name, *figures)
    console.print(table)
    console.print(verdict(results))


def verdict(results: Mapping[str, Any]) -> str:
    """Return sentences about the goals: each is met or missed."""
    found = results["models"]["with windows"]
    sentences = [
        f"{COLUMNS[name].capitalize() if name != 'auc' else 'AUC'} {found[name]:.3f}: the goal of "
        f"{goal:.3f} is {'met' if round(found[name], 3) >= goal else 'missed'}."
        for name, goal in GOALS.items()
    ]
    return " ".join(sentences)


def write_page(results: Mapping[str, Any], path: Path) -> None:
    """Write the page of the figures."""
    head = f"| model | {' | '.join(COLUMNS.values())} |\n|---|{'---:|' * len(COLUMNS)}"
    lines = [f"| {name} | {' | '.join(figures)} |" for name, figures in _rows(results)]
    test = results["test"]
    path.write_text(
        _PAGE.read_text().format(
            date=results["measured_at"][:10],
            commit=str(results["commit"])[:12],
            minutes=results["minutes"],
            cores=results["machine"]["cores"],
            table="\n".join([head, *lines]),
            verdict=verdict(results),
            rows=test["payments"],
            batch=results["batch"],
            judged=test["judged"],
            frauds=test["judged_frauds"],
        )
    )


def _rows(results: Mapping[str, Any]) -> Iterator[tuple[str, list[str]]]:
    """Yield the models: ours, then the published ones, whose calibration is not known."""
    rows = {f"Sentinel, {name}": figures for name, figures in results["models"].items()}
    rows |= {f"published: {name}": figures for name, figures in PUBLISHED.items()}
    for name, figures in rows.items():
        digits = {"ece": 4, "log_loss": 4}
        yield (
            name,
            [
                f"{figures[column]:.{digits.get(column, 3)}f}" if column in figures else ""
                for column in COLUMNS
            ],
        )
