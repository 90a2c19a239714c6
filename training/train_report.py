"""The summary that `train` prints."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from training.reporting.metric_formats import FIGURES
from training.reporting.tables import (
    calibration_table,
    calibrators_table,
    show_addresses,
    titled_table,
)
from training.train import Trained


def show(trained: Trained, console: Console) -> None:
    """Print the data, the choice of calibrator and threshold, and the figures."""
    learned, version, parts = trained.learned, trained.version, trained.parts
    console.print()
    console.print(_parts(trained))
    calibration = learned.calibration
    console.print(
        calibrators_table(
            "Calibrators",
            calibration,
            calibration.data(trained.data.span, parts.calibrate.rows.start),
            ".4g",
        )
    )
    figures = titled_table(
        "Figures, with 95 % bootstrap intervals", "", "split by time", "random split",
        data=f"{parts.test}, used once; the test part of the random split has as many",
    )  # fmt: skip
    for figure in FIGURES:
        figures.add_row(figure.label, figure.show(learned.evaluation), figure.show(trained.random))
    console.print(figures)
    console.print(trained.random_note, soft_wrap=not console.is_terminal)
    console.print()
    console.print(calibration_table(learned.evaluation, str(parts.test)))
    console.print(
        f"Threshold {learned.model.policy.threshold:.4g}, chosen on the {parts.threshold}; "
        f"{learned.fitted.rounds} trees with {learned.fitted.leaves:,} leaves.",
    )
    console.print(
        Text.assemble(
            (f"Registered {version.name} version {version.version}", "bold"), " as candidate."
        )
    )
    show_addresses(trained.run_id, trained.run_url, trained.version_url, console)
    console.print(
        f"Its plots are in MLflow. Version {version.version} decides once it has the alias "
        "`production`.",
        soft_wrap=True,
    )


def _parts(trained: Trained) -> Table:
    columns = ("part", "steps", "rows", "frauds", "rate")
    table = titled_table("Data", *columns, data=trained.data.source)
    for part in trained.parts:
        table.add_row(
            part.name,
            f"{part.first_step} to {part.last_step}",
            f"{part.row_count:,}",
            f"{part.fraud_count:,}",
            f"{part.fraud_count / part.row_count:.3%}",
        )
    return table
