"""Add decisions and labels to the figures of their hours, some time after they were stored.

An id has its time before its row is committed. A transaction of the service ends within 30 s, so
what is older than GRACE is complete unless a process's clock is minutes behind. What is younger is
counted by whoever reads the figures (`persistence.hourly.reading`). A decision and a label are
added in the transaction that moves the mark behind them, so each is added once.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Engine, Row, select, text, update
from sqlalchemy.dialects.postgresql import insert

from persistence.event_types import newest_event_type
from persistence.hourly.counting import category_fields, count_decisions, first_id_of
from persistence.hourly.counts import (
    COLUMNS,
    Category,
    CategoryCount,
    Counts,
    HourCounts,
    KeptValues,
    kept_values,
)
from persistence.hourly.labelled import count_changes
from persistence.tables.hourly import CategoryHourRow, DecisionHourRow, HourCountingRow
from persistence.tenancy import SERVICE, tenant_transaction
from persistence.uuid7 import unix_ms_of
from scoring.transaction import PAYSIM

GRACE = timedelta(minutes=5)
"""Age from which decisions and labels are added."""
MAX_DECISIONS = 20_000
"""Decisions that one transaction adds: 0.2 s."""
MAX_LABELS = 2_000
"""Labels that one transaction adds."""

_MARK = (
    HourCountingRow.decided_until,
    HourCountingRow.labels_until,
    HourCountingRow.category_values,
)
_FIRST = text("SELECT id FROM predictions WHERE tenant_id = :tenant_id ORDER BY id LIMIT 1")
_NTH = text(
    "SELECT id FROM predictions WHERE tenant_id = :tenant_id AND id >= :start AND id < :end"
    " ORDER BY id OFFSET :limit LIMIT 1"
)
# Ids are given in the order of the sequence, and a label that is not committed yet is younger than
# GRACE: no label with a smaller id appears later.
_LAST_LABEL = text(
    """
    WITH page AS (
        SELECT id, created_at FROM labels WHERE tenant_id = :tenant_id AND id > :after
        ORDER BY id LIMIT :limit
    )
    SELECT max(id), count(*) = :limit FROM page
    WHERE id < coalesce((SELECT min(id) FROM page WHERE created_at >= :before), 2^63 - 1)
    """
)


def fold_hours(engine: Engine, tenant_id: int, now: datetime) -> bool:
    """Add a tenant's next decisions and labels to the figures of their hours.

    While another process does it for the tenant, nothing is done.

    Args:
        engine: pool of connections.
        tenant_id: tenant whose figures they are.
        now: current time; what is younger than GRACE then is left.

    Returns:
        Whether there may be more to add at once.

    Raises:
        StoreUnavailable: Postgres is unreachable or the connection broke; nothing was added.
    """
    before = now - GRACE
    with tenant_transaction(engine, tenant_id, actor=SERVICE) as connection:
        if (mark := _mark(connection, tenant_id, before)) is None:
            return False
        fields = fields_of(connection, tenant_id)
        until, has_more = end_of_next(connection, tenant_id, mark.decided_until, before)
        found = HourCounts()
        if until > mark.decided_until:
            found = count_decisions(connection, tenant_id, fields, mark.decided_until, until)
        given = {"tenant_id": tenant_id, "after": mark.labels_until, "before": before}
        last_label, has_more_labels = connection.execute(
            _LAST_LABEL, given | {"limit": MAX_LABELS}
        ).one()
        if last_label is not None:
            changes = count_changes(connection, tenant_id, mark.labels_until, last_label)
            for hour, counts in changes.items():
                found.counts[hour].add(counts)
        values = kept_values(mark.category_values, (name for _, name in found.categories))
        _add_hours(connection, tenant_id, found.counts)
        _add_categories(connection, tenant_id, within(found.categories, values))
        connection.execute(
            update(HourCountingRow)
            .where(HourCountingRow.tenant_id == tenant_id)
            .values(
                decided_until=max(until, mark.decided_until),
                labels_until=mark.labels_until if last_label is None else last_label,
                category_values=values,
            )
        )
    return has_more or bool(has_more_labels and last_label is not None)


def hold_marks(connection: Connection, tenant_ids: Collection[int]) -> dict[int, Row[Any]]:
    """Return up to where tenants' figures go; none moves on before the transaction ends.

    Args:
        connection: connection inside a `tenant_transaction`, before it stores late decisions.
        tenant_ids: tenants of the decisions.
    """
    statement = (
        select(HourCountingRow.tenant_id, *_MARK)
        .where(HourCountingRow.tenant_id.in_(tenant_ids))
        .order_by(HourCountingRow.tenant_id)
        .with_for_update()
    )
    return {row.tenant_id: row for row in connection.execute(statement)}


def add_late(
    connection: Connection, tenant_id: int, mark: Row[Any], prediction_ids: Collection[UUID]
) -> None:
    """Add decisions that were stored behind a tenant's mark to the figures of their hours.

    Args:
        connection: connection of the transaction that stored them and holds the mark.
        tenant_id: tenant whose decisions they are.
        mark: result of `hold_marks`.
        prediction_ids: predictions; those ahead of the mark are left to `fold_hours`.
    """
    end = first_id_of(mark.decided_until)
    late = sorted(id_ for id_ in prediction_ids if id_ < end)
    if not late:
        return
    since = datetime.fromtimestamp(unix_ms_of(late[0]) / 1000, UTC)
    fields = fields_of(connection, tenant_id)
    found = count_decisions(connection, tenant_id, fields, since, mark.decided_until, ids=late)
    values = kept_values(mark.category_values, (name for _, name in found.categories))
    _add_hours(connection, tenant_id, found.counts)
    _add_categories(connection, tenant_id, within(found.categories, values))
    connection.execute(
        update(HourCountingRow)
        .where(HourCountingRow.tenant_id == tenant_id)
        .values(category_values=values)
    )


def fields_of(connection: Connection, tenant_id: int) -> list[str]:
    """Return the category fields of a tenant's event type that are counted."""
    stored = newest_event_type(connection, tenant_id)
    return category_fields(stored.event_type if stored else PAYSIM)


def within(
    found: dict[tuple[datetime, Category], CategoryCount], values: KeptValues
) -> dict[tuple[datetime, Category], CategoryCount]:
    """Return counts by hour and category in which only some values are apart.

    Args:
        found: counts by hour and category.
        values: values that are counted apart, by name of the field.
    """
    merged: dict[tuple[datetime, Category], CategoryCount] = {}
    for (hour, (name, value)), count in found.items():
        category = (name, value if value in values[name] else None)
        merged.setdefault((hour, category), CategoryCount()).add(count)
    return merged


def end_of_next(
    connection: Connection, tenant_id: int, since: datetime, before: datetime
) -> tuple[datetime, bool]:
    """Return the end of the next decisions, and whether there are more of them.

    Args:
        connection: connection inside a `tenant_transaction`.
        tenant_id: tenant whose decisions they are.
        since: time up to which decisions are counted.
        before: time from which they are left.
    """
    start = first_id_of(since)
    given = {"tenant_id": tenant_id, "start": start, "end": first_id_of(before)}
    nth = connection.execute(_NTH, given | {"limit": MAX_DECISIONS}).scalar_one_or_none()
    if nth is None:
        return _to_millisecond(before), False
    # All of a millisecond are added at once, and at least one is.
    next_ms = max(unix_ms_of(nth), unix_ms_of(start) + 1)
    return datetime.fromtimestamp(next_ms / 1000, UTC), True


def _mark(connection: Connection, tenant_id: int, before: datetime) -> Row[Any] | None:
    """Return up to where a tenant's figures go, locked; None while another process adds to them.

    The first time, that is before the first decision; one that is still to be committed may be
    earlier, unless the first one is older than GRACE.
    """
    statement = (
        select(*_MARK)
        .where(HourCountingRow.tenant_id == tenant_id)
        .with_for_update(skip_locked=True)
    )
    if mark := connection.execute(statement).one_or_none():
        return mark
    first = connection.execute(_FIRST, {"tenant_id": tenant_id}).scalar_one_or_none()
    if first is None:
        return None
    start = min(datetime.fromtimestamp(unix_ms_of(first) / 1000, UTC), _to_millisecond(before))
    new = insert(HourCountingRow).values(tenant_id=tenant_id, decided_until=start)
    connection.execute(new.on_conflict_do_nothing())
    return connection.execute(statement).one_or_none()


def _to_millisecond(moment: datetime) -> datetime:
    """Return the start of the millisecond, as ids have it."""
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def _add_hours(connection: Connection, tenant_id: int, found: dict[datetime, Counts]) -> None:
    """Add counts to the rows of their hours; the lock on the mark keeps others from them."""
    columns = [getattr(DecisionHourRow, name) for name in COLUMNS]
    stored = select(DecisionHourRow.hour, *columns).where(
        DecisionHourRow.tenant_id == tenant_id, DecisionHourRow.hour.in_(found)
    )
    for hour, *lists in connection.execute(stored):
        found[hour].add(Counts(*lists))
    if not found:
        return
    new = insert(DecisionHourRow)
    connection.execute(
        new.on_conflict_do_update(
            index_elements=[DecisionHourRow.tenant_id, DecisionHourRow.hour],
            set_={name: new.excluded[name] for name in COLUMNS},
        ),
        [
            {"tenant_id": tenant_id, "hour": hour}
            | {name: getattr(counts, name) for name in COLUMNS}
            for hour, counts in found.items()
        ],
    )


def _add_categories(
    connection: Connection,
    tenant_id: int,
    found: dict[tuple[datetime, Category], CategoryCount],
) -> None:
    if not found:
        return
    row = CategoryHourRow
    new = insert(row)
    connection.execute(
        new.on_conflict_do_update(
            index_elements=[row.tenant_id, row.hour, row.field, row.is_rest, row.value],
            set_={
                "decisions": row.decisions + new.excluded.decisions,
                "flagged": row.flagged + new.excluded.flagged,
                "amount": row.amount + new.excluded.amount,
            },
        ),
        [
            {
                "tenant_id": tenant_id,
                "hour": hour,
                "field": name,
                "is_rest": value is None,
                "value": value or "",
                "decisions": count.decisions,
                "flagged": count.flagged,
                "amount": count.amount,
            }
            for (hour, (name, value)), count in found.items()
        ],
    )
