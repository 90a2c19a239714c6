"""Keep, by hour, the sums of probabilities from which performance is estimated, and read them.

They are added in the background some time after the figures of `persistence.hourly.folding`, also
for decisions of earlier releases; nothing reads a payment for them while somebody waits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import Connection, Engine, select, text, update
from sqlalchemy.dialects.postgresql import insert

from persistence.hourly.counting import SPAN, first_id_of
from persistence.hourly.counts import KINDS
from persistence.hourly.folding import end_of_next
from persistence.hourly.joins import without
from persistence.tables.hourly import ExpectedHourRow, HourCountingRow
from persistence.tenancy import SERVICE, tenant_transaction
from persistence.uuid7 import unix_ms_of
from scoring.evaluation.estimated import ExpectedFrauds
from scoring.policy import OUTCOMES

_NAMES = tuple(ExpectedFrauds.__dataclass_fields__)
_FIRST = text("SELECT id FROM predictions WHERE tenant_id = :tenant_id ORDER BY id LIMIT 1")
_COUNT = text(
    f"""
    SELECT hour, outcome, sum(p), sum(p * a), sum(v), sum(v * a), sum(v * a * a)
    FROM (
        SELECT date_trunc('hour', uuid_extract_timestamp(p.id)) AS hour,
            array_position(CAST(:outcomes AS text[]), p.decision) - 1 AS outcome,
            p.score AS p, p.score * (1 - p.score) AS v, coalesce(t.amount, 0) AS a
        {SPAN}
    ) AS decided
    GROUP BY 1, 2
    """  # noqa: S608 - constants of these files, here and below
)
_ARRAYS = ", ".join(
    f"ARRAY[{', '.join(f'sum(e.{name}[{place}])' for place in range(1, len(OUTCOMES) + 1))}]"
    for name in _NAMES
)


def _of_outcomes(name: str) -> str:
    """Return the SQL of the sums of a column of `decision_hours` by outcome, without the bands."""
    places = [
        [str(i) for i, (kind, _) in enumerate(KINDS, 1) if kind == outcome] for outcome in OUTCOMES
    ]
    sums = (" + ".join(f"sum(d.{name}[{i}])" for i in of_outcome) for of_outcome in places)
    return f"ARRAY[{', '.join(sums)}]"


_DAYS = text(
    f"""
    SELECT date_trunc('day', e.hour, :zone) AS day, {_of_outcomes("decisions")},
        {_of_outcomes("frauds")}, {_of_outcomes("fraud_amounts")}, {_ARRAYS}
    FROM expected_hours e JOIN decision_hours d ON d.tenant_id = e.tenant_id AND d.hour = e.hour
    WHERE e.tenant_id = :tenant_id AND d.tenant_id = :tenant_id
        AND e.hour >= :since AND e.hour < :until
    GROUP BY 1 ORDER BY 1
    """  # noqa: S608
)


@dataclass(frozen=True, slots=True)
class ExpectedDay:
    """The decisions of a day, by outcome in the order of OUTCOMES.

    Attributes:
        start: start of the day in the tenant's time zone.
        decisions: decisions.
        frauds: those whose label that counts is fraud.
        fraud_amounts: their amounts, money.
        expected: sums of probabilities.
    """

    start: datetime
    decisions: Sequence[float]
    frauds: Sequence[float]
    fraud_amounts: Sequence[float]
    expected: ExpectedFrauds


def fold_expected(engine: Engine, tenant_id: int) -> bool:
    """Add the probabilities of a tenant's next decisions to the sums of their hours.

    It goes as far as `fold_hours` has gone, which leaves what may still be committed. While another
    process adds to the tenant's figures, nothing is done.

    Args:
        engine: pool of connections.
        tenant_id: tenant whose decisions they are.

    Returns:
        Whether there may be more to add at once.

    Raises:
        StoreUnavailable: Postgres is unreachable or the connection broke; nothing was added.
    """
    mark = (
        select(HourCountingRow.decided_until, HourCountingRow.expected_until)
        .where(HourCountingRow.tenant_id == tenant_id)
        .with_for_update(skip_locked=True)
    )
    with tenant_transaction(engine, tenant_id, actor=SERVICE) as connection:
        row = connection.execute(mark).one_or_none()
        if row is None:
            return False
        since = row.expected_until or _first(connection, tenant_id)
        if since is None:
            return False
        until, has_more = end_of_next(connection, tenant_id, since, row.decided_until)
        if until <= since:
            return False
        _add(connection, tenant_id, since, until)
        connection.execute(
            update(HourCountingRow)
            .where(HourCountingRow.tenant_id == tenant_id)
            .values(expected_until=until)
        )
    return has_more


def read_expected(
    engine: Engine, tenant_id: int, since: datetime, zone: str
) -> tuple[datetime | None, list[ExpectedDay]]:
    """Return up to when decisions are counted, and the days that have some, the oldest first.

    Only whole hours count, to the day of their start.

    Args:
        engine: pool of connections.
        tenant_id: tenant whose decisions they are.
        since: start of the first hour.
        zone: IANA name of the tenant's time zone.
    """
    marks = select(HourCountingRow.decided_until, HourCountingRow.expected_until).where(
        HourCountingRow.tenant_id == tenant_id
    )
    with tenant_transaction(engine, tenant_id) as connection:
        row = connection.execute(marks).one_or_none()
        if row is None or row.expected_until is None:
            return None, []
        until = min(row).astimezone(UTC).replace(minute=0, second=0, microsecond=0)
        given = {"tenant_id": tenant_id, "since": since, "until": until, "zone": zone}
        days = [
            ExpectedDay(day, decisions, frauds, amounts, ExpectedFrauds(*sums))
            for day, decisions, frauds, amounts, *sums in connection.execute(_DAYS, given)
        ]
    return until, days


def _first(connection: Connection, tenant_id: int) -> datetime | None:
    id_: UUID | None = connection.execute(_FIRST, {"tenant_id": tenant_id}).scalar_one_or_none()
    return None if id_ is None else datetime.fromtimestamp(unix_ms_of(id_) / 1000, UTC)


def _add(connection: Connection, tenant_id: int, since: datetime, until: datetime) -> None:
    values = {
        "tenant_id": tenant_id,
        "start": first_id_of(since),
        "end": first_id_of(until),
        "outcomes": list(OUTCOMES),
    }
    found: dict[datetime, ExpectedFrauds] = {}
    with without(connection, "nestloop"):
        for hour, outcome, *sums in connection.execute(_COUNT, values):
            one = found.setdefault(hour, ExpectedFrauds(*([0.0] * len(OUTCOMES) for _ in _NAMES)))
            for name, number in zip(_NAMES, sums, strict=True):
                getattr(one, name)[outcome] = number
    columns = [getattr(ExpectedHourRow, name) for name in _NAMES]
    stored = select(ExpectedHourRow.hour, *columns).where(
        ExpectedHourRow.tenant_id == tenant_id, ExpectedHourRow.hour.in_(found)
    )
    for hour, *lists in connection.execute(stored):
        found[hour] += ExpectedFrauds(*lists)
    if not found:
        return
    new = insert(ExpectedHourRow)
    connection.execute(
        new.on_conflict_do_update(
            index_elements=[ExpectedHourRow.tenant_id, ExpectedHourRow.hour],
            set_={name: new.excluded[name] for name in _NAMES},
        ),
        [
            {"tenant_id": tenant_id, "hour": hour}
            | {name: list(getattr(one, name)) for name in _NAMES}
            for hour, one in found.items()
        ],
    )
