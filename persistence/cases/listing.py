"""The list of cases: overdue ones first, page by page, and how many there are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Literal

from sqlalchemy import (
    ColumnElement,
    Engine,
    Select,
    func,
    literal,
    select,
    tuple_,
    union_all,
)

from persistence.cases.facts import CASE_COLUMNS, PRIORITIES, CaseFacts, Priority, Status
from persistence.review.cases import Page, cut
from persistence.tables.cases import CaseEventRow, CaseRow
from persistence.tenancy import tenant_transaction

Due = Literal["overdue", "week", "none"]
"""Before today; from today on, less than a week away; without a due date."""
NOBODY = 0
"""Assignee of a filter for the cases that nobody works on; no account has this number."""
WEEK = timedelta(days=7)

OpenPlace = tuple[date | None, Priority, int]
"""Due date, priority and number of the last open case of a page."""
ClosedPlace = tuple[datetime, int]
"""Time of closing and number of the last closed case of a page."""


@dataclass(frozen=True, slots=True)
class CaseFilter:
    """Which cases; None leaves a filter out.

    Attributes:
        today: current day in the tenant's time zone.
        status: open or closed.
        priority: only this one.
        assignee_id: only this person's; NOBODY: only those without one.
        due: when the case is due; of open cases only.
    """

    today: date
    status: Status = "open"
    priority: Priority | None = None
    assignee_id: int | None = None
    due: Due | None = None


@dataclass(frozen=True, slots=True)
class ListedCase:
    """A case of the list.

    Attributes:
        facts: facts of the case.
        events: number of its events.
    """

    facts: CaseFacts
    events: int


@dataclass(frozen=True, slots=True)
class Counts:
    """How many cases pass the priority and the assignee of a filter.

    Attributes:
        open: open ones.
        overdue: open ones whose due date has passed.
        closed: closed ones.
    """

    open: int
    overdue: int
    closed: int


def list_open(
    engine: Engine,
    tenant_id: int,
    wanted: CaseFilter,
    *,
    limit: int,
    after: OpenPlace | None = None,
) -> Page[ListedCase, OpenPlace]:
    """Return a page of open cases: by due date, those without one last, then the most urgent.

    Each priority, with a due date or without, is one range of an index, which is read from the end
    of the last page on.

    Args:
        engine: pool of connections.
        tenant_id: tenant whose cases are listed.
        wanted: filter of the cases.
        limit: most cases of the page.
        after: end of the page before.
    """
    ranges = list(_ranges(tenant_id, wanted, limit + 1, after))
    merged = union_all(*ranges).subquery()
    in_order = (merged.c.due_on.asc().nulls_last(), merged.c.rank, merged.c.number)
    statement = select(merged.c.number).order_by(*in_order).limit(limit + 1)
    found, last = _read(engine, tenant_id, statement, limit)
    facts = last.facts if last else None
    place = (facts.due_on, facts.priority, facts.number) if facts else None
    return Page(found, place)


def list_closed(
    engine: Engine,
    tenant_id: int,
    wanted: CaseFilter,
    *,
    limit: int,
    after: ClosedPlace | None = None,
) -> Page[ListedCase, ClosedPlace]:
    """Return a page of closed cases, the last one closed first; arguments as for `list_open`."""
    statement = (
        select(CaseRow.number)
        .where(CaseRow.tenant_id == tenant_id, CaseRow.status == "closed", *_filters(wanted))
        .order_by(CaseRow.closed_at.desc(), CaseRow.number.desc())
        .limit(limit + 1)
    )
    if after is not None:
        closed_at, number = after
        place = tuple_(literal(closed_at), literal(number))
        statement = statement.where(tuple_(CaseRow.closed_at, CaseRow.number) < place)
    found, last = _read(engine, tenant_id, statement, limit)
    if last is None or last.facts.closed_at is None:
        return Page(found, None)
    return Page(found, (last.facts.closed_at, last.facts.number))


def count_cases(engine: Engine, tenant_id: int, wanted: CaseFilter) -> Counts:
    """Return how many cases pass a filter's priority and assignee, by status."""

    def count(*conditions: ColumnElement[bool]) -> Any:  # noqa: ANN401 - a scalar subquery
        of_tenant = select(func.count()).select_from(CaseRow).where(CaseRow.tenant_id == tenant_id)
        return of_tenant.where(*conditions, *_filters(wanted)).scalar_subquery()

    is_open, is_closed = CaseRow.status == "open", CaseRow.status == "closed"
    statement = select(
        count(is_open), count(is_open, CaseRow.due_on < wanted.today), count(is_closed)
    )
    with tenant_transaction(engine, tenant_id) as connection:
        return Counts(*connection.execute(statement).one())


def _ranges(
    tenant_id: int, wanted: CaseFilter, limit: int, after: OpenPlace | None
) -> Iterator[Select[Any]]:
    for rank, priority in enumerate(PRIORITIES):
        of_priority = select(CaseRow.number, CaseRow.due_on, literal(rank).label("rank")).where(
            CaseRow.tenant_id == tenant_id,
            CaseRow.status == "open",
            CaseRow.priority == priority,
            *_filters(wanted),
        )
        dated = of_priority.where(CaseRow.due_on.is_not(None))
        undated = of_priority.where(CaseRow.due_on.is_(None))
        if wanted.due == "overdue":
            dated = dated.where(CaseRow.due_on < wanted.today)
        if wanted.due == "week":
            end = wanted.today + WEEK
            dated = dated.where(CaseRow.due_on >= wanted.today, CaseRow.due_on < end)
        if after is not None:
            due_on, last, number = after
            last_rank = PRIORITIES.index(last)
            dated = dated.where(*_after_dated(rank - last_rank, due_on, number))
            if due_on is None:
                undated = undated.where(*_after_undated(rank - last_rank, number))
        if wanted.due != "none":
            yield dated.order_by(CaseRow.due_on, CaseRow.number).limit(limit)
        if wanted.due in (None, "none"):
            yield undated.order_by(CaseRow.number).limit(limit)


def _after_dated(
    ranks_later: int, due_on: date | None, number: int
) -> tuple[ColumnElement[bool], ...]:
    """Return the condition of the cases with a due date that follow a place in the list."""
    if due_on is None:
        return (literal(value=False),)
    if ranks_later == 0:
        last = tuple_(literal(due_on), literal(number))
        return (tuple_(CaseRow.due_on, CaseRow.number) > last,)
    return (CaseRow.due_on >= due_on if ranks_later > 0 else CaseRow.due_on > due_on,)


def _after_undated(ranks_later: int, number: int) -> tuple[ColumnElement[bool], ...]:
    """Return the condition of the cases without a due date that follow one of them."""
    if ranks_later == 0:
        return (CaseRow.number > number,)
    return () if ranks_later > 0 else (literal(value=False),)


def _filters(wanted: CaseFilter) -> Iterator[ColumnElement[bool]]:
    if wanted.priority is not None:
        yield CaseRow.priority == wanted.priority
    if wanted.assignee_id == NOBODY:
        yield CaseRow.assignee_id.is_(None)
    elif wanted.assignee_id is not None:
        yield CaseRow.assignee_id == wanted.assignee_id


def _read(
    engine: Engine, tenant_id: int, numbers: Select[Any], limit: int
) -> tuple[list[ListedCase], ListedCase | None]:
    """Return the cases of a page in its order, and its last one where the list goes on."""
    events = (
        select(func.count())
        .where(
            CaseEventRow.tenant_id == CaseRow.tenant_id, CaseEventRow.case_number == CaseRow.number
        )
        .correlate(CaseRow)
        .scalar_subquery()
    )
    with tenant_transaction(engine, tenant_id) as connection:
        page, last = cut(connection.execute(numbers).scalars().all(), limit)
        statement = select(*CASE_COLUMNS, events).where(
            CaseRow.tenant_id == tenant_id, CaseRow.number.in_(page)
        )
        rows = {row[0]: row for row in connection.execute(statement)}
    listed = [ListedCase(CaseFacts(*rows[one][:-1]), rows[one][-1]) for one in page]
    return listed, listed[-1] if last is not None else None
