"""Tables and lines that the reports of all commands share."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from training.pipeline.calibration import Calibration
from training.pipeline.evaluation import Evaluation
from training.reporting.metric_formats import FIGURES

_CALIBRATED = ("log_loss", "brier", "ece")


def print_line(console: Console, sentence: str, style: str | None = None) -> None:
    """Print a sentence without markup and on one line, for logs."""
    console.print(sentence, style=style, soft_wrap=True)


def titled_table(title: str, *columns: str, data: str, left: int = 1) -> Table:
    """Return an empty table.

    Args:
        title: first part of the line above the table.
        columns: headings.
        data: phrase on the data that the figures were made on, the rest of that line.
        left: number of columns, from the first, that are aligned to the left.
    """
    table = Table(
        title=f"{title}: {data}", title_justify="left", title_style="bold", header_style="dim"
    )
    for index, column in enumerate(columns):
        table.add_column(column, justify="left" if index < left else "right")
    return table


def calibration_table(evaluation: Evaluation, data: str) -> Table:
    """Return the calibration metrics before and after calibration.

    Args:
        evaluation: figures of a model.
        data: phrase on the data that they were made on.
    """
    title = "Probabilities before and after calibration"
    table = titled_table(title, "", "before", "after", data=data)
    for figure in FIGURES:
        if figure.name in _CALIBRATED:
            before, after = evaluation.uncalibrated[figure.name], evaluation.metrics[figure.name]
            table.add_row(figure.label, figure.bare(before), figure.bare(after))
    return table


def calibrators_table(title: str, calibration: Calibration, data: str, form: str) -> Table:
    """Return the metrics of the calibrators that were compared, the chosen one in bold.

    Args:
        title: first part of the line above the table.
        calibration: comparison and choice.
        data: phrase on the data of the comparison.
        form: format specification of the metrics.
    """
    table = titled_table(title, "calibrator", "log loss", "Brier", "ECE", data=data)
    for tried in calibration.comparisons:
        is_chosen = tried.kind == calibration.chosen
        table.add_row(
            f"{tried.kind} (chosen)" if is_chosen else tried.kind,
            *(format(value, form) for value in (tried.log_loss, tried.brier, tried.ece)),
            style="bold" if is_chosen else None,
        )
    if reason := calibration.why_not_the_best:
        table.caption, table.caption_justify = reason, "left"
    return table
