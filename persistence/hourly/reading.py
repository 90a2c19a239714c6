"""Read the figures of a tenant's decisions: those that are kept, and what came since.

All statements of a reading see the database as of one moment, so that what is added to the kept
figures meanwhile is counted once.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Engine, text

from persistence.hourly.counting import count_decisions, first_id_of
from persistence.hourly.counts import (
    COLUMNS,
    KINDS,
    CategoryCount,
    Counts,
    HourCounts,
    kept_values,
)
from persistence.hourly.folding import fields_of, within
from persistence.hourly.labelled import count_changes
from persistence.tenancy import tenant_transaction
from persistence.uuid7 import unix_ms_of
from scoring.policy import RISK_BANDS, RiskBand

Step = Literal["hour", "day", "week", "month"]
"""Length of the parts into which a span is cut, in the tenant's time zone."""
MAX_DECISIONS = 20_000
"""Decisions that are counted while somebody waits; more are left to `fold_hours`."""
MAX_LABELS = 2_000
"""Labels that are counted while somebody waits."""

_PLACES = {name: range(1, len(getattr(Counts(), name)) + 1) for name in COLUMNS}
_WAITING = {band: place for place, (outcome, band) in enumerate(KINDS, 1) if outcome == "review"}
_OF_SPAN = "FROM decision_hours WHERE tenant_id = :tenant_id AND hour >= :since"

_MARK = text(
    "SELECT decided_until, labels_until, category_values FROM hour_counting"
    " WHERE tenant_id = :tenant_id"
)
_HAS_MORE = text(
    """
    SELECT (SELECT count(*) FROM (
            SELECT FROM predictions WHERE tenant_id = :tenant_id AND id >= :start
            LIMIT :decisions + 1) AS found) > :decisions,
        (SELECT count(*) FROM (
            SELECT FROM labels WHERE tenant_id = :tenant_id AND id > :after
            LIMIT :labels + 1) AS found) > :labels
    """
)
_FIRST = text("SELECT min(hour) FROM decision_hours WHERE tenant_id = :tenant_id")
_TOTALS = text(
    "SELECT "
    + ", ".join(
        f"ARRAY[{', '.join(f'coalesce(sum({name}[{place}]), 0)' for place in places)}] AS {name}"
        for name, places in _PLACES.items()
    )
    + f" {_OF_SPAN}"
)
_SUMS = ", ".join(f"sum(decisions[{place}])" for place in _PLACES["decisions"])
_PARTS = text(
    f"""
    SELECT part, day, hour_of_day, {_SUMS}
    FROM (
        SELECT date_trunc(:step, hour, :zone) AS part, decisions,
            extract(isodow FROM hour AT TIME ZONE :zone)::int - 1 AS day,
            extract(hour FROM hour AT TIME ZONE :zone)::int AS hour_of_day
        {_OF_SPAN}
    ) AS found
    GROUP BY GROUPING SETS ((part), (day, hour_of_day))
    """  # noqa: S608 - constants of this file, here and below
)
_CATEGORIES = text(
    """
    SELECT field, CASE WHEN NOT is_rest THEN value END, sum(decisions), sum(flagged), sum(amount)
    FROM category_hours
    WHERE tenant_id = :tenant_id AND hour >= :since AND field = ANY (:fields)
    GROUP BY 1, 2
    """
)
_COUNTED = (("decisions", ""), ("amounts", "_amounts"))
"""Columns of which what is settled is subtracted, and the suffix of those."""
_WAITING_SUMS = ", ".join(
    f"coalesce(sum({column}[{place}] - settled{suffix}[{place}]), 0)"
    for place in _WAITING.values()
    for column, suffix in _COUNTED
)
_WAITING_IN_ALL = text(
    f"SELECT {_WAITING_SUMS} FROM decision_hours WHERE tenant_id = :tenant_id"  # noqa: S608
)
_WAITING_IN_HOUR = " + ".join(
    f"decisions[{place}] - settled[{place}]" for place in _WAITING.values()
)
_HOURS_WAITING = text(
    f"""
    SELECT hour, {_WAITING_IN_HOUR} FROM decision_hours
    WHERE tenant_id = :tenant_id AND {_WAITING_IN_HOUR} > 0 ORDER BY hour LIMIT :limit
    """  # noqa: S608
)
_OLDEST = text(
    """
    SELECT id FROM predictions
    WHERE tenant_id = :tenant_id AND id >= :start AND id < :end
        AND decision = 'review' AND NOT reviewed
    ORDER BY id LIMIT 1
    """
)


@dataclass(frozen=True, slots=True)
class Waiting:
    """Decisions that wait for an analyst.

    Attributes:
        count: decisions.
        amount: their amounts, money.
    """

    count: int
    amount: float


@dataclass(slots=True)
class Figures:
    """A tenant's decisions since a time, and what waits for an analyst whenever it was decided.

    Attributes:
        since: start of the span; None where nothing is counted, whenever it was decided.
        step: length of the parts.
        total: counts of the span.
        parts: decisions by kind, in the order of KINDS, by start of the part; those without a
            decision are missing.
        hours_of_week: decisions by weekday, from Monday, and hour, in the tenant's time zone.
        categories: counts by value and name of the field, the most frequent first, the rest last.
        waiting: what waits, by band, riskiest first.
        oldest: time of the decision that waits longest; None where none waits.
        left_since: time from which decisions are not counted yet; None where all are.
        lacks_labels: whether labels that came last are not counted yet.
    """

    since: datetime | None
    step: Step
    total: Counts
    parts: dict[datetime, list[int]]
    hours_of_week: list[list[int]]
    categories: dict[str, list[tuple[str | None, CategoryCount]]]
    waiting: dict[RiskBand, Waiting]
    oldest: datetime | None
    left_since: datetime | None
    lacks_labels: bool


@dataclass(slots=True)
class _Recent:
    """What is not among the kept figures yet."""

    fields: list[str]
    decided: HourCounts = field(default_factory=HourCounts)
    hours: dict[datetime, Counts] = field(default_factory=lambda: defaultdict(Counts))
    left_since: datetime | None = None
    lacks_labels: bool = False


def read_figures(
    engine: Engine, tenant_id: int, since: datetime | None, step: Step | None, zone: str
) -> Figures:
    """Return the figures of a tenant's decisions.

    An hour counts as a whole, to the part of the hour's start.

    Args:
        engine: pool of connections.
        tenant_id: tenant whose decisions are counted.
        since: start of the span, the start of an hour; None: the first decision.
        step: length of the parts; None: by the length of the span.
        zone: IANA name of the tenant's time zone.

    Raises:
        StoreUnavailable: Postgres is unreachable, the connection broke, or the schema is missing.
    """
    of_one_moment = engine.execution_options(isolation_level="REPEATABLE READ")
    with tenant_transaction(of_one_moment, tenant_id) as connection:
        recent = _recent(connection, tenant_id)
        first = _first(connection, tenant_id, recent)
        start = since if since and first else first
        step = step or _step_of(start)
        found = Figures(
            start, step, Counts(), {}, [[0] * 24 for _ in range(7)], {}, {}, None,
            recent.left_since, recent.lacks_labels,
        )  # fmt: skip
        if start:
            given = {"tenant_id": tenant_id, "since": start, "step": step, "zone": zone}
            found.total = Counts(*map(list, connection.execute(_TOTALS, given).one()))
            _read_parts(connection, given, found)
            _read_categories(connection, given | {"fields": recent.fields}, found, recent)
        # Where the span has every hour that is kept, so has the total, which is not read twice.
        is_whole = bool(start and first and start <= first)
        _read_waiting(connection, tenant_id, found, recent, found.total if is_whole else None)
        if start:
            _add_recent(found, recent, start, ZoneInfo(zone))
    return found


def part_of(hour: datetime, step: Step, zone: ZoneInfo) -> datetime:
    """Return the start of the part that an hour belongs to, UTC."""
    local = hour.astimezone(zone)
    if step == "hour":
        return hour
    start = local.replace(hour=0, minute=0)
    if step == "week":
        start -= timedelta(days=start.weekday())
    elif step == "month":
        start = start.replace(day=1)
    return start.astimezone(UTC)


def _recent(connection: Connection, tenant_id: int) -> _Recent:
    """Count the decisions and labels that are not among the kept figures."""
    mark = connection.execute(_MARK, {"tenant_id": tenant_id}).one_or_none()
    since, after, values = mark or (None, 0, {})
    recent = _Recent(fields_of(connection, tenant_id))
    given = {
        "tenant_id": tenant_id,
        "start": first_id_of(since) if since else UUID(int=0),
        "after": after,
        "decisions": MAX_DECISIONS,
        "labels": MAX_LABELS,
    }
    has_more, lacks_labels = connection.execute(_HAS_MORE, given).one()
    recent.lacks_labels = lacks_labels
    if has_more:
        recent.left_since = since or datetime.fromtimestamp(0, UTC)
    else:
        recent.decided = count_decisions(connection, tenant_id, recent.fields, since, None)
        names = (name for _, name in recent.decided.categories)
        recent.decided.categories = within(recent.decided.categories, kept_values(values, names))
        for hour, counts in recent.decided.counts.items():
            recent.hours[hour].add(counts)
    if not lacks_labels:
        for hour, counts in count_changes(connection, tenant_id, after).items():
            recent.hours[hour].add(counts)
    return recent


def _first(connection: Connection, tenant_id: int, recent: _Recent) -> datetime | None:
    """Return the hour of the first decision that is counted."""
    kept = connection.execute(_FIRST, {"tenant_id": tenant_id}).scalar_one()
    return min((hour for hour in (kept, *recent.decided.counts) if hour), default=None)


def _step_of(since: datetime | None) -> Step:
    days = (datetime.now(UTC) - since).days if since else 0
    return "hour" if days < 2 else "day" if days < 63 else "week" if days < 400 else "month"


def _read_parts(connection: Connection, given: Mapping[str, Any], found: Figures) -> None:
    for part, day, hour, *decisions in connection.execute(_PARTS, given):
        if part is not None:
            found.parts[part] = [int(count) for count in decisions]
        else:
            found.hours_of_week[day][hour] = int(sum(decisions))


def _read_categories(
    connection: Connection, given: Mapping[str, Any], found: Figures, recent: _Recent
) -> None:
    counts: dict[str, dict[str | None, CategoryCount]] = {name: {} for name in recent.fields}
    for name, value, decisions, flagged, amount in connection.execute(_CATEGORIES, given):
        counts[name][value] = CategoryCount(int(decisions), int(flagged), amount)
    for (hour, (name, value)), count in recent.decided.categories.items():
        if hour >= given["since"]:
            counts[name].setdefault(value, CategoryCount()).add(count)
    for name, values in counts.items():
        found.categories[name] = sorted(
            values.items(), key=lambda pair: (pair[0] is None, -pair[1].decisions, pair[0] or "")
        )


def _add_recent(found: Figures, recent: _Recent, since: datetime, zone: ZoneInfo) -> None:
    for hour, counts in recent.hours.items():
        if hour < since:
            continue
        found.total.add(counts)
        part = found.parts.setdefault(part_of(hour, found.step, zone), [0] * len(KINDS))
        for place, count in enumerate(counts.decisions):
            part[place] += count
        local = hour.astimezone(zone)
        found.hours_of_week[local.weekday()][local.hour] += counts.total()


def _read_waiting(
    connection: Connection, tenant_id: int, found: Figures, recent: _Recent, total: Counts | None
) -> None:
    """Read what waits, whenever it was decided.

    Args:
        connection: connection inside a `tenant_transaction`.
        tenant_id: tenant whose decisions they are.
        found: figures that get it.
        recent: what is not among the kept figures.
        total: all that are kept; None: they are added up.
    """
    given = {"tenant_id": tenant_id}
    if total is None:
        sums = list(connection.execute(_WAITING_IN_ALL, given).one())
    else:
        sums = [
            getattr(total, column)[place - 1] - getattr(total, f"settled{suffix}")[place - 1]
            for place in _WAITING.values()
            for column, suffix in _COUNTED
        ]
    numbers = iter(sums)
    for band in RISK_BANDS:
        place = _WAITING[band] - 1
        count, amount = int(next(numbers)), next(numbers)
        for counts in recent.hours.values():
            count += counts.decisions[place] - counts.settled[place]
            amount += counts.amounts[place] - counts.settled_amounts[place]
        # A sum of money minus the same sum in another order may leave a rest.
        found.waiting[band] = Waiting(count, max(amount, 0.0) if count else 0.0)
    hours = {
        hour: sum(counts.decisions[p - 1] - counts.settled[p - 1] for p in _WAITING.values())
        for hour, counts in recent.hours.items()
    }
    # As many as may have been settled since, and one more.
    kept = connection.execute(_HOURS_WAITING, given | {"limit": len(hours) + 1})
    for hour, count in kept:
        hours[hour] = hours.get(hour, 0) + count
    for hour in sorted(hour for hour, count in hours.items() if count > 0):
        span = {"start": first_id_of(hour), "end": first_id_of(hour + timedelta(hours=1))}
        oldest = connection.execute(_OLDEST, given | span).scalar_one_or_none()
        if oldest is not None:
            found.oldest = datetime.fromtimestamp(unix_ms_of(oldest) / 1000, UTC)
            return
