"""Options that select the labels on which a version is evaluated or calibrated."""

from __future__ import annotations

from pathlib import Path

import click

from persistence.labels.reader import MATURITY_DAYS
from training.cli.options import OneFile, checked_file

WINDOW_DAYS = 90.0

labelled_data = click.option(
    "--data",
    cls=OneFile,
    type=click.Path(path_type=Path),
    callback=checked_file,
    help="CSV or Parquet in the PaySim schema, with labels, instead of stored decisions.",
)
maturity_days = click.option(
    "--maturity-days",
    type=click.FloatRange(min=0, max=36_500),
    default=MATURITY_DAYS,
    show_default=True,
    help="Minimum age of stored decisions; labels count as final from this age on.",
)
window_days = click.option(
    "--window-days",
    type=click.FloatRange(min=0, min_open=True, max=36_500),
    default=WINDOW_DAYS,
    show_default=True,
    help="Length of the period before that from which decisions are read.",
)


def require_data_for_steps(data: Path | None, *steps: int | None) -> None:
    """Require --data with --from-step and --until-step: only a file has hours.

    Raises:
        UsageError: one of them is given without --data.
    """
    if data is None and any(step is not None for step in steps):
        raise click.UsageError("--from-step and --until-step need --data.")
