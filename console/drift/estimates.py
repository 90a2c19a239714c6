"""Estimated performance as the page shows it: what is awaited, and whether it came true."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta

from console.charts import Block, stacked_bars
from persistence.hourly.expected import ExpectedDay
from scoring.evaluation.estimated import (
    ExpectedFrauds,
    Performance,
    chance_ranges,
    performance,
)
from scoring.policy import CostModel

FIGURES = tuple(one.name for one in fields(Performance))
"""Figures of a performance, in the order in which they are shown."""


@dataclass(frozen=True, slots=True)
class EstimatedDay:
    """A day with its estimate, and what came out where its labels are mature.

    Attributes:
        start: start of the day.
        decisions: decisions.
        estimate: performance that the probabilities let expect.
        known: performance by the labels; None: they are not mature.
    """

    start: datetime
    decisions: int
    estimate: Performance
    known: Performance | None


@dataclass(frozen=True, slots=True)
class Estimate:
    """The estimate of some days in all.

    Attributes:
        days: the days, the oldest first.
        decisions: their decisions.
        estimate: performance that the probabilities let expect.
        ranges: where chance leaves each figure, 95 % of the time, by name.
        known: performance by the labels; None: they are not mature.
    """

    days: list[EstimatedDay]
    decisions: int
    estimate: Performance
    ranges: dict[str, tuple[float, float]]
    known: Performance | None

    def agrees(self, name: str) -> bool | None:
        """Return whether what came out of a figure is within its range; None: it is not known."""
        value = getattr(self.known, name, None)
        if value is None or name not in self.ranges:
            return None
        low, high = self.ranges[name]
        return bool(low <= value <= high)


def estimate_of(
    days: Sequence[ExpectedDay], costs: CostModel | None, *, is_mature: bool
) -> Estimate | None:
    """Return the estimate of days; None where there are none.

    Args:
        days: days, the oldest first.
        costs: costs of the errors; None: not known.
        is_mature: whether the labels of all of them have come.
    """
    if not days:
        return None
    decisions, frauds, amounts = (
        [sum(of_outcome) for of_outcome in zip(*lists, strict=True)]
        for lists in (
            [one.decisions for one in days],
            [one.frauds for one in days],
            [one.fraud_amounts for one in days],
        )
    )
    expected = days[0].expected
    for one in days[1:]:
        expected += one.expected
    return Estimate(
        [_day(one, costs, is_mature=is_mature) for one in days],
        int(sum(decisions)),
        _expected(decisions, expected, costs),
        chance_ranges(decisions, expected, costs),
        performance(decisions, frauds, amounts, costs) if is_mature else None,
    )


def parted(
    days: Sequence[ExpectedDay], until: datetime, maturity: timedelta
) -> tuple[list[ExpectedDay], list[ExpectedDay]]:
    """Return the days whose labels are mature, and those after them.

    Args:
        days: days, the oldest first.
        until: time up to which decisions are counted.
        maturity: age by which labels have come.
    """
    mature = [one for one in days if one.start + timedelta(days=1) + maturity <= until]
    return mature, list(days[len(mature) :])


def bars_of(days: Sequence[EstimatedDay]) -> list[Block]:
    """Return bars of the frauds that are expected to be caught, with those missed on top."""
    return stacked_bars(
        [(one.estimate.caught, one.estimate.missed) for one in days], ("trained", "window")
    )


def _day(day: ExpectedDay, costs: CostModel | None, *, is_mature: bool) -> EstimatedDay:
    known = performance(day.decisions, day.frauds, day.fraud_amounts, costs) if is_mature else None
    return EstimatedDay(
        day.start, int(sum(day.decisions)), _expected(day.decisions, day.expected, costs), known
    )


def _expected(
    decisions: Sequence[float], expected: ExpectedFrauds, costs: CostModel | None
) -> Performance:
    return performance(decisions, expected.frauds, expected.fraud_amounts, costs)
