"""What a rule did: the sums of its days, and the bars of a chart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from api.rules.schemas import RuleDayOut

DAYS = 30
"""Days of figures that the pages show."""
HEIGHT = 120.0
"""Height of the chart's bars, in units of its view box."""


@dataclass(frozen=True, slots=True)
class Sums:
    """The figures of a rule over several days.

    Attributes:
        fires: decisions in which it fired live.
        shadow: decisions in which it fired in shadow.
        decided: decisions that it decided.
        labelled: of all in which it fired, those with a label.
        frauds: known frauds among them.
        saved: money that its known hits save, or would have saved; None without a policy.
    """

    fires: int
    shadow: int
    decided: int
    labelled: int
    frauds: int
    saved: float | None

    @property
    def precision(self) -> float | None:
        """Share of frauds among those with a label; None without any."""
        return self.frauds / self.labelled if self.labelled else None


@dataclass(frozen=True, slots=True)
class Bar:
    """One day of the chart.

    Attributes:
        day: day in UTC.
        fires, shadow, frauds: figures of the day; 0 where it did not fire.
        fires_height, shadow_height: heights of the two parts of the bar.
    """

    day: date
    fires: int
    shadow: int
    frauds: int
    fires_height: float
    shadow_height: float


def sums(days: Sequence[RuleDayOut]) -> Sums:
    """Return the sums of the days of a rule."""
    saved = [day.saved for day in days if day.saved is not None]
    return Sums(
        fires=sum(day.fires for day in days),
        shadow=sum(day.shadow for day in days),
        decided=sum(day.decided for day in days),
        labelled=sum(day.labelled for day in days),
        frauds=sum(day.frauds for day in days),
        saved=sum(saved) if len(saved) == len(days) else None,
    )


def bars(days: Sequence[RuleDayOut], today: date) -> list[Bar]:
    """Return the bars of the last DAYS days, also of those on which nothing fired.

    Args:
        days: days on which the rule fired.
        today: last day, in UTC.
    """
    by_day = {day.day: day for day in days}
    most = max([day.fires + day.shadow for day in days], default=0) or 1
    made = []
    for ago in range(DAYS - 1, -1, -1):
        day = today - timedelta(days=ago)
        found = by_day.get(day)
        fires, shadow = (found.fires, found.shadow) if found else (0, 0)
        made.append(
            Bar(
                day=day,
                fires=fires,
                shadow=shadow,
                frauds=found.frauds if found else 0,
                fires_height=HEIGHT * fires / most,
                shadow_height=HEIGHT * shadow / most,
            )
        )
    return made
