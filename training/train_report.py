"""The summary that `train` prints."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from scoring.counted import counted
from scoring.policy import CostModel
from scoring.transaction import PAYSIM
from training.reporting.addresses import show_addresses
from training.reporting.metric_formats import FIGURES, money
from training.reporting.tables import (
    calibration_table,
    calibrators_table,
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
            calibration.data(trained.data.scale.bounds, parts.calibrate.rows.start),
            ".4g",
        )
    )
    console.print(_figures(trained))
    console.print(trained.random_note, soft_wrap=not console.is_terminal)
    console.print()
    console.print(calibration_table(learned.evaluation, str(parts.test)))
    console.print(
        f"Threshold {learned.model.policy.threshold:.4g}, chosen on the {parts.threshold}; "
        f"{counted(learned.fitted.rounds, 'tree')} with "
        f"{counted(learned.fitted.leaves, 'leaf', 'leaves')}.",
    )
    if trained.data.event_type is not PAYSIM:
        console.print(_costs(learned.model.policy.cost_model), soft_wrap=not console.is_terminal)
    console.print(
        Text.assemble(
            (f"Registered {version.name} version {version.version}", "bold"), " as candidate."
        )
    )
    show_addresses(trained.run_id, trained.run_url, trained.version_url, console)
    console.print(
        f"Its plots are in MLflow. Version {version.version} decides once it has the alias "
        "`production`, for a tenant whose event type has its fields.",
        soft_wrap=True,
    )


def _figures(trained: Trained) -> Table:
    title, test = "Figures, with 95 % bootstrap intervals", trained.parts.test
    evaluation, random = trained.learned.evaluation, trained.random
    if random is None:
        table = titled_table(title, "", "value", data=f"{test}, used once")
        for figure in FIGURES:
            table.add_row(figure.label, figure.show(evaluation))
        return table
    table = titled_table(
        title, "", "split by time", "random split",
        data=f"{test}, used once; the test part of the random split has as many",
    )  # fmt: skip
    for figure in FIGURES:
        table.add_row(figure.label, figure.show(evaluation), figure.show(random))
    return table


def _costs(costs: CostModel) -> str:
    """Return a sentence on the costs, which nobody knows of an event type of one's own."""
    share = costs.missed_fraud_share
    missed = " plus ".join(
        [
            *([money(costs.missed_fraud)] if costs.missed_fraud or not share else []),
            *([f"{share * 100:.4g} % of its amount"] if share else []),
        ]
    )
    return (
        f"It saves the most where a missed fraud costs {missed} and a false alarm "
        f"{money(costs.false_alarm)}. `python -m training train` takes your own costs as "
        "--missed-fraud, --missed-fraud-share and --false-alarm; PUT /policy changes them later."
    )


def _parts(trained: Trained) -> Table:
    columns = ("part", trained.data.scale.heading, "rows", "frauds", "rate")
    table = titled_table("Data", *columns, data=trained.data.source)
    for part in trained.parts:
        table.add_row(
            part.name,
            " to ".join(trained.data.scale.bounds(part.rows)),
            f"{part.row_count:,}",
            f"{part.fraud_count:,}",
            f"{part.fraud_count / part.row_count:.3%}",
        )
    return table
