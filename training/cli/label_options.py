"""Options that select the labels on which a version is evaluated or calibrated."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from persistence.labels.reader import MATURITY_DAYS
from training.cli.options import OneFile

WINDOW_DAYS = 90.0
_EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)


def _past(_context: click.Context, _option: click.Parameter, text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise click.BadParameter(f"{text!r} is not an ISO 8601 time.") from error
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    if not _EARLIEST <= moment <= datetime.now(UTC):
        raise click.BadParameter("it must be a time from 1970 until now.")
    return moment


labelled_data = click.option(
    "--data",
    cls=OneFile,
    type=click.Path(path_type=Path),
    help="CSV or Parquet with labels and the version's fields, instead of stored decisions.",
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
as_of = click.option(
    "--as-of",
    metavar="TIME",
    callback=_past,
    help="Read decisions and labels as they were known at this time (ISO 8601; without an offset:"
    " UTC).  [default: now]",
)


def require_data_for_steps(data: Path | None, *steps: int | None) -> None:
    """Require --data with --from-step and --until-step: only a file has hours.

    Raises:
        UsageError: one of them is given without --data.
    """
    if data is None and any(step is not None for step in steps):
        raise click.UsageError("--from-step and --until-step need --data.")
