"""What the overview shows, from the figures of decisions by hour."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Literal
from zoneinfo import ZoneInfo

from console.charts import Block, heat_paths, logarithmic_bars, share_of, stacked_bars
from persistence.drift.checks import Check, Run
from persistence.hourly.counts import KINDS, LATENCY_EDGES_MS, SCORE_EDGES, Counts
from persistence.hourly.reading import Figures, Step, part_of
from scoring.evaluation.drift import SCORE, Level
from scoring.policy import CostModel, Outcome, Policy

Range = Literal["24h", "7d", "30d", "all"]
RANGES: tuple[Range, ...] = ("24h", "7d", "30d", "all")
_DAYS: dict[Range, int] = {"7d": 7, "30d": 30}
_WORST: tuple[Level, ...] = ("major", "moderate", "stable", "insufficient", "empty", "constant")
MAX_SHOWN_VALUES = 8
"""Values of a category with a row of their own."""


def span_of(range_: Range, now: datetime, zone: ZoneInfo) -> tuple[datetime | None, Step | None]:
    """Return the start of a range and the parts it is cut into; None: all, by its length.

    Days are whole days of the tenant, today's among them. Where the zone's offset is not of whole
    hours, they begin with their first whole hour of UTC, see `minutes_late`.
    """
    if range_ == "all":
        return None, None
    if range_ == "24h":
        return (now - timedelta(hours=24)).replace(minute=0, second=0, microsecond=0), "hour"
    midnight = now.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
    start = (midnight - timedelta(days=_DAYS[range_] - 1)).astimezone(UTC)
    return start + timedelta(minutes=-start.minute % 60), "day"


def minutes_late(moment: datetime, zone: ZoneInfo) -> int:
    """Return the minutes after which the hours and days of a zone begin in the figures.

    Figures are kept by hours of UTC, and an hour counts as a whole to the hour and the day of its
    start: in India, 00:30 to 01:30 is the first hour of a day.

    Args:
        moment: time at which the zone's offset is taken.
        zone: the tenant's time zone.
    """
    return moment.astimezone(UTC).replace(minute=0).astimezone(zone).minute


@dataclass(frozen=True, slots=True)
class Known:
    """What verdicts and labels say of the span's decisions, and what that is worth.

    Attributes:
        labelled: decisions that are known to be fraud or legitimate.
        caught: frauds that were reviewed or declined.
        caught_amount: their amounts, money.
        missed: frauds that were approved.
        missed_amount: their amounts, money.
        false_alarms: legitimate ones that were reviewed or declined.
        saved: money saved against approving all of them; None without a policy.
    """

    labelled: int
    caught: int
    caught_amount: float
    missed: int
    missed_amount: float
    false_alarms: int
    saved: float | None


def known_of(total: Counts, policy: Policy | None) -> Known:
    """Return what is known of decisions, in the money of the policy in force.

    As `CostModel.net_savings` has it; a decline of an honest payment costs a false decline.
    """
    caught, caught_amount = _flagged(total.frauds), _flagged(total.fraud_amounts)
    saved = None
    if policy:
        costs: CostModel = policy.cost_model
        saved = (
            costs.missed_fraud * caught
            + costs.missed_fraud_share * caught_amount
            - costs.false_alarm * _of(total.honest, "review")
            - costs.declined_honest * _of(total.honest, "decline")
        )
    return Known(
        labelled=sum(total.frauds) + sum(total.honest),
        caught=int(caught),
        caught_amount=caught_amount,
        missed=int(_of(total.frauds, "approve")),
        missed_amount=_of(total.fraud_amounts, "approve"),
        false_alarms=int(_flagged(total.honest)),
        saved=saved,
    )


@dataclass(frozen=True, slots=True)
class Part:
    """A day, or another part of the span.

    Attributes:
        start: its start, UTC.
        decisions: decisions.
        reviews: those that an analyst was to review.
        declines: those that were declined.
    """

    start: datetime
    decisions: int
    reviews: int
    declines: int


def parts_of(figures: Figures, now: datetime, zone: ZoneInfo) -> list[Part]:
    """Return all parts of the span until now, also those without a decision."""
    if figures.since is None:
        return []
    starts = [part_of(figures.since, figures.step, zone)]
    while (following := _next(starts[-1], figures.step, zone)) <= now:
        starts.append(following)
    starts += [start for start in figures.parts if start > starts[-1]]  # a clock that is ahead
    return [
        Part(start, int(sum(counts)), int(_of(counts, "review")), int(_of(counts, "decline")))
        for start in starts
        for counts in [figures.parts.get(start, [0] * len(KINDS))]
    ]


def flagged_bars(parts: Sequence[Part]) -> list[Block]:
    """Return the bars of reviews, with declines on top."""
    return stacked_bars([(part.reviews, part.declines) for part in parts], ("reviews", "declines"))


@dataclass(frozen=True, slots=True)
class ScoreBin:
    """Decisions whose score is in a range.

    Attributes:
        low, high: the range; high is not in it, but for 1.
        count: decisions.
    """

    low: float
    high: float
    count: int


def score_bins(total: Counts) -> list[ScoreBin]:
    """Return the distribution of the scores."""
    ends = pairwise((0.0, *SCORE_EDGES, 1.0))
    return [ScoreBin(*end, count) for end, count in zip(ends, total.scores, strict=True)]


def score_bars(bins: Sequence[ScoreBin], policy: Policy | None) -> tuple[list[Block], list[float]]:
    """Return the bars of scores, each in the colour of its band at the policy in force."""
    series = [policy.risk_band(one.low) if policy else "bar" for one in bins]
    return logarithmic_bars([one.count for one in bins], series)


@dataclass(frozen=True, slots=True)
class Heat:
    """Decisions by weekday and hour.

    Attributes:
        paths: squares of each shade, the lightest first.
        weekday, hour: the busiest hour.
        most: decisions in it.
    """

    paths: list[str]
    weekday: int
    hour: int
    most: int


def heat_of(hours_of_week: Sequence[Sequence[int]]) -> Heat:
    """Return the heat map of a week."""
    most, weekday, hour = max(
        (count, -day, -hour)
        for day, counts in enumerate(hours_of_week)
        for hour, count in enumerate(counts)
    )
    return Heat(heat_paths(hours_of_week), -weekday, -hour, most)


@dataclass(frozen=True, slots=True)
class ValueRow:
    """Decisions with one value of a category.

    Attributes:
        value: value; None: all further ones.
        decisions: decisions.
        flagged: share of them that was reviewed or declined.
        amount: their amounts, money.
        bar: width of the bar, units of a chart.
    """

    value: str | None
    decisions: int
    flagged: float
    amount: float
    bar: float


def category_tables(figures: Figures) -> dict[str, list[ValueRow]]:
    """Return the rows of each category field that had a value in the span."""
    tables = {}
    for name, values in figures.categories.items():
        most = max((count.decisions for _, count in values), default=0)
        shown = [pair for pair in values if pair[0] is not None][:MAX_SHOWN_VALUES]
        rest = [count for pair in values if pair not in shown for count in pair[1:]]
        rows: list[ValueRow] = []
        for value, count in shown:
            rows.append(_row(value, count.decisions, count.flagged, count.amount, most))
        if rest:
            sums = (
                sum(one.decisions for one in rest),
                sum(one.flagged for one in rest),
                sum(one.amount for one in rest),
            )
            rows.append(_row(None, *sums, max(most, sums[0])))
        if rows:
            tables[name] = rows
    return tables


def latency_within(latencies: Sequence[int], share: float) -> float | None:
    """Return the time within which a share of the decisions was made, ms, rounded up to a bin.

    Returns:
        None without decisions; infinity where it is beyond the last bin.
    """
    decisions = sum(latencies)
    so_far = 0
    for count, edge in zip(latencies, (*LATENCY_EDGES_MS, float("inf")), strict=True):
        so_far += count
        if decisions and so_far >= share * decisions:
            return edge
    return None


@dataclass(frozen=True, slots=True)
class DriftState:
    """How far the version in production has drifted.

    Attributes:
        computed_at: time of the check.
        level: worst level of a feature or the score.
        names: features, and SCORE, of a level that needs a look.
        check: check of the version.
    """

    computed_at: datetime
    level: Level
    names: list[str]
    check: Check


def drift_state(run: Run | None) -> DriftState | None:
    """Return the drift of the version in production; None where it was not computed."""
    check = next((one for one in run.checks if one.is_in_production), None) if run else None
    if run is None or check is None or not check.measures:
        return None
    level = min((one.shift.level for one in check.measures), key=_WORST.index)
    moved = [one for one in check.measures if one.shift.level in ("major", "moderate")]
    moved.sort(key=lambda one: -(one.shift.psi or 0.0))
    return DriftState(run.computed_at, level, [one.name for one in moved], check)


def is_score(name: str) -> bool:
    """Return whether a measure is that of the score, which is no feature."""
    return name == SCORE


def _row(value: str | None, decisions: int, flagged: int, amount: float, most: int) -> ValueRow:
    share = flagged / decisions if decisions else 0.0
    return ValueRow(value, decisions, share, amount, share_of(decisions, most))


def _next(start: datetime, step: Step, zone: ZoneInfo) -> datetime:
    if step == "hour":
        return start + timedelta(hours=1)
    local = start.astimezone(zone)
    if step == "month":
        return (local + timedelta(days=32)).replace(day=1).astimezone(UTC)
    return (local + timedelta(days=7 if step == "week" else 1)).astimezone(UTC)


def _of(numbers: Sequence[float], outcome: Outcome) -> float:
    return sum(n for (kind, _), n in zip(KINDS, numbers, strict=True) if kind == outcome)


def _flagged(numbers: Sequence[float]) -> float:
    return _of(numbers, "review") + _of(numbers, "decline")
