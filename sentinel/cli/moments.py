"""Options that are times."""

from __future__ import annotations

from datetime import UTC, datetime

import click


def later_time(
    _context: click.Context, _option: click.Parameter, text: str | None
) -> datetime | None:
    """Return the time of an option, ISO 8601, later than now; without an offset it is UTC.

    Raises:
        BadParameter: it is none.
    """
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        moment = moment.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise click.BadParameter(f"{text!r} is not an ISO 8601 time.") from error
    if moment <= datetime.now(UTC):
        raise click.BadParameter(f"{text!r} is not later than now.")
    return moment
