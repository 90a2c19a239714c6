"""Look for the events of a search, newest first, at a bounded number of rows at a time.

What has no index is looked for row by row. So that this takes a page's time however many payments
there are, one look ends after a number of rows, and says where: the next one goes on from there.

A search is looked for in one of three ways, whichever leads to few rows:

- `feedback`: the feedback that people gave, where a verdict is asked for.
- `decisions`: a range of `ix_predictions_decision`, where it has at most MAX_CANDIDATES decisions.
- `events`: the transactions themselves, those of a payer, a payee or an id by their index.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    LargeBinary,
    Select,
    func,
    literal,
    select,
    text,
    true,
    union_all,
)
from sqlalchemy.dialects.postgresql import aggregate_order_by

from persistence.review.event_ids import ids_of, ids_of_external
from persistence.review.event_looked import Looked, Place, Way, looked_of
from persistence.review.event_search import EventSearch
from persistence.review.event_search_sql import (
    ROLES,
    in_time,
    of_decision,
    of_decision_by_index,
    of_event,
    with_decision,
    with_verdict,
)
from persistence.review.search import ID_BYTES
from persistence.tables.decisions import PredictionRow, TransactionRow
from persistence.tables.review import FeedbackRow

MAX_IN_ORDER = 40_000
"""Rows in the order of time that one look reads where each is enough to decide."""
MAX_LOOKED_UP = 4_000
"""Rows of which one look reads others too, or that are not stored in the order of time."""
MAX_CANDIDATES = 50_000
"""Decisions in a range of the index; where there are more, they are frequent among all."""


def look(
    connection: Connection,
    tenant_id: int,
    search: EventSearch,
    *,
    limit: int,
    after: Place | None = None,
) -> Looked:
    """Look for the newest transactions that pass a search.

    Args:
        connection: connection inside a `tenant_transaction`, whose later statements must not need
            a sequential scan either.
        tenant_id: tenant whose transactions are searched.
        search: filters.
        limit: most transactions.
        after: end of the look before; None: the newest.
    """
    # A range of an index that many rows are in may look as dear as the table.
    connection.execute(text("SET LOCAL enable_seqscan = off"))
    way = after.way if after else _way_of(search)
    last = after.last if after else None
    if way == "decisions":
        found = _by_decisions(connection, tenant_id, search, limit, last)
        if found is not None:
            return found
    if way == "feedback":
        return _by_feedback(connection, tenant_id, search, limit, last)
    return _by_events(connection, tenant_id, search, limit, last)


def _way_of(search: EventSearch) -> Way:
    if search.is_indexed:
        return "events"
    if search.verdict not in (None, "none"):
        return "feedback"
    # Most payments are approved, with a low score.
    is_rare = search.outcome not in (None, "approve") or search.band not in (None, "low")
    return "decisions" if is_rare or search.score_min is not None else "events"


def _by_decisions(
    connection: Connection, tenant_id: int, search: EventSearch, limit: int, before: UUID | None
) -> Looked | None:
    """Look among the decisions of a range of the index; None where they are too many."""
    # Of the key too, this would be a range, of rows that are much wider than entries of the index.
    is_before = [] if before is None else [(PredictionRow.id < before).is_(True)]
    candidate = (
        select(PredictionRow.id)
        .where(
            *of_decision_by_index(tenant_id, search),
            *in_time(PredictionRow.__table__.c.id, search, None),
            *is_before,
        )
        .limit(MAX_CANDIDATES + 1)
        .cte("candidate")
        .prefix_with("MATERIALIZED")
    )
    count = select(func.count()).select_from(candidate).scalar_subquery()
    newest = (
        select(candidate.c.id)
        .where(count <= MAX_CANDIDATES)
        .order_by(candidate.c.id.desc())
        .limit(MAX_LOOKED_UP)
        .cte("newest")
        .prefix_with("MATERIALIZED")
    )
    decided = (
        select(PredictionRow.transaction_id.label("id"))
        .where(
            PredictionRow.tenant_id == tenant_id,
            PredictionRow.id == newest.c.id,
            *in_time(PredictionRow.__table__.c.id, search, None),
        )
        .limit(1)
        .lateral("decided")
    )
    joined = _with_event(tenant_id, search, decided, newest.join(decided, true()))
    joined, conditions = with_verdict(tenant_id, search, decided, joined)
    found = (
        select(newest.c.id.label("position"), decided.c.id)
        .select_from(joined)
        .where(*conditions)
        .order_by(newest.c.id.desc())
        .limit(limit)
    )
    last = select(newest.c.id).order_by(newest.c.id).offset(MAX_LOOKED_UP - 1).limit(1)
    found_ids, positions = _packed(found)
    statement = select(count, found_ids, positions, last.scalar_subquery())
    candidates, ids, places, end = connection.execute(statement).one()
    if candidates > MAX_CANDIDATES:
        return None
    return looked_of("decisions", ids, places, end, limit)


def _by_feedback(
    connection: Connection, tenant_id: int, search: EventSearch, limit: int, before: UUID | None
) -> Looked:
    """Look among the feedback, of which the latest on each transaction counts."""
    row = FeedbackRow
    given = (
        select(row.transaction_id.label("id"), row.id.label("number"), row.label)
        .where(row.tenant_id == tenant_id, *in_time(row.__table__.c.transaction_id, search, before))
        .order_by(row.transaction_id.desc(), row.id.desc())
        .limit(MAX_LOOKED_UP)
        .cte("given")
        .prefix_with("MATERIALIZED")
    )
    latest = (
        select(given.c.id, given.c.label)
        .distinct(given.c.id)
        .order_by(given.c.id.desc(), given.c.number.desc())
        .subquery("latest")
    )
    joined = with_decision(tenant_id, search, latest, latest)
    joined = _with_event(tenant_id, search, latest, joined)
    found = (
        select(latest.c.id.label("position"), latest.c.id)
        .select_from(joined)
        .where(latest.c.label == search.verdict)
        .order_by(latest.c.id.desc())
        .limit(limit)
    )
    last = select(given.c.id).order_by(given.c.id.desc(), given.c.number.desc())
    end = last.offset(MAX_LOOKED_UP - 1).limit(1).scalar_subquery()
    ids, places, end_id = connection.execute(select(*_packed(found), end)).one()
    return looked_of("feedback", ids, places, end_id, limit)


def _by_events(
    connection: Connection, tenant_id: int, search: EventSearch, limit: int, before: UUID | None
) -> Looked:
    """Look among the transactions themselves."""
    event = TransactionRow.__table__
    external = None
    if search.external_id is not None:
        external = ids_of_external(connection, tenant_id, search.external_id)
    is_alone = search.verdict is None and not list(of_decision(search))
    most = MAX_IN_ORDER if is_alone and not search.is_indexed else MAX_LOOKED_UP
    parts: list[Select[Any]] = []
    ends: list[Select[Any]] = []
    for number, way in enumerate(_ways(connection, tenant_id, search, external)):
        conditions = (event.c.tenant_id == tenant_id, *in_time(event.c.id, search, before), *way)
        read = (
            select(event)
            .where(*conditions)
            .order_by(event.c.id.desc())
            .limit(most)
            .subquery(f"read_{number}")
        )
        joined = with_decision(tenant_id, search, read, read)
        joined, of_verdict = with_verdict(tenant_id, search, read, joined)
        passing = [*of_event(search, read), *of_verdict]
        if external is not None:
            passing.append(read.c.id.in_(external))
        parts.append(
            select(read.c.id)
            .select_from(joined)
            .where(*passing)
            .order_by(read.c.id.desc())
            .limit(limit)
        )
        newest_first = select(event.c.id).where(*conditions).order_by(event.c.id.desc())
        ends.append(newest_first.offset(most - 1).limit(1))
    either = union_all(*(select(part.subquery().c.id) for part in parts)).subquery("either")
    # An entity that pays itself is found by two ways.
    found = (
        select(either.c.id.label("position"), either.c.id)
        .distinct()
        .order_by(either.c.id.desc())
        .limit(limit)
    )
    if len(parts) == 1:
        only = parts[0].subquery("only")
        found = select(only.c.id.label("position"), only.c.id).order_by(only.c.id.desc())
    ids, places = connection.execute(select(*_packed(found))).one()
    if len(parts) == 1 and len(ids or b"") // ID_BYTES == limit:
        return looked_of("events", ids, places, None, limit)
    reached = [connection.execute(one).scalar_one_or_none() for one in ends]
    end = max((one for one in reached if one is not None), default=None)
    looked = looked_of("events", ids, places, end, limit)
    # One of the ways has not looked further, and may find rows there that are newer than these.
    return looked if end is None else looked.until(end)


def _ways(
    connection: Connection, tenant_id: int, search: EventSearch, external: Sequence[UUID] | None
) -> list[tuple[ColumnElement[bool], ...]]:
    """Return the conditions that indexes answer; an event has to pass one of them."""
    event = TransactionRow.__table__
    if external is not None:
        return [(event.c.id.in_(external),)]
    if search.typed is not None:
        known = ids_of(connection, tenant_id, search.typed)
        roles = [(event.c[column] == search.typed,) for column in ROLES.values()]
        return [*([(event.c.id.in_(known),)] if known else []), *roles]
    indexed = [one for one in search.fields if one.is_indexed]
    return [(event.c[ROLES[str(one.field.role)]] == one.value,) for one in indexed[:1]] or [()]


def _packed(found: Select[Any]) -> tuple[ColumnElement[bytes | None], ...]:
    """Return the ids and the positions of a statement, newest first, each in one value.

    As objects, the ids of 100,000 transactions would take the interpreter 0.2 s.
    """
    rows = found.cte("found").prefix_with("MATERIALIZED")
    newest_first = aggregate_order_by(literal(b"", LargeBinary), rows.c.position.desc())

    def packed(column: ColumnElement[UUID]) -> ColumnElement[bytes | None]:
        packing = func.string_agg(func.uuid_send(column), newest_first, type_=LargeBinary)
        return select(packing).scalar_subquery()

    return packed(rows.c.id), packed(rows.c.position)


def _with_event(
    tenant_id: int, search: EventSearch, wanted: FromClause, joined: FromClause
) -> FromClause:
    """Join the transactions that pass, each by a look-up."""
    conditions = list(of_event(search, TransactionRow.__table__))
    if not conditions:
        return joined
    event = (
        select(TransactionRow.id)
        .where(TransactionRow.tenant_id == tenant_id, TransactionRow.id == wanted.c.id, *conditions)
        .limit(1)
        .lateral("event")
    )
    return joined.join(event, true())
