"""Search decisions by fields, decision and feedback: pages, figures of the result, and one id."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    Connection,
    Engine,
    Uuid,
    cast,
    column,
    exists,
    func,
    literal,
    select,
    true,
)

from persistence.access_log import account_object, log_access, transaction_object
from persistence.actor import Actor
from persistence.review.cases import Case, predictions_of, read_cases
from persistence.review.event_ids import ids_of
from persistence.review.event_looked import Looked, Place
from persistence.review.event_looking import look
from persistence.review.event_search import EventSearch
from persistence.review.search import ID_BYTES, SearchReader
from persistence.tables.decisions import PredictionRow, TransactionRow
from persistence.tables.history import EntityEventRow, EntitySegmentRow
from persistence.tables.review import FeedbackRow
from persistence.tenancy import tenant_transaction
from persistence.uuid7 import unix_ms_of
from scoring.event_type.fields import EventType

MAX_COUNTED = 1_000
"""Transactions that figures of a result are made of, the newest ones of a larger result."""


MAX_LOOKING_S = 6.0
"""Time for which ids are looked for; a request has ten seconds, and one part takes up to one."""


class LookedTooLong(Exception):
    """A search has more to look at than it has time for."""


@dataclass(frozen=True, slots=True)
class Figures:
    """Figures of the result of a search.

    Attributes:
        count: number of transactions, at most MAX_COUNTED.
        is_capped: whether there are, or may be, more than were counted.
        amount: sum of their amounts.
        outcomes: number by outcome.
        verdicts: number by latest feedback; `none`: nobody gave any.
    """

    count: int
    is_capped: bool
    amount: float
    outcomes: Mapping[str, int]
    verdicts: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class FoundById:
    """What an id stands for.

    Attributes:
        transactions: ids of transactions.
        entities: kinds of entity of the event type, such as `account`, that have the id as key.
    """

    transactions: tuple[UUID, ...] = ()
    entities: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FoundEvents:
    """A page of the result of a search.

    Attributes:
        cases: transactions with their decisions and latest feedback, newest first.
        figures: figures of the whole result; None on a later page.
        next: where the next page begins; None on the last one.
        looked_since: time back to which was looked, where the next page looks on from there
            although this one has not found all that it could show; None: nothing was left out.
    """

    cases: list[Case]
    figures: Figures | None
    next: Place | None
    looked_since: datetime | None


def find_events(
    engine: Engine,
    tenant_id: int,
    search: EventSearch,
    *,
    limit: int,
    reader: Actor,
    after: Place | None = None,
) -> FoundEvents:
    """Return a page of the transactions that pass a search, newest first.

    Args:
        engine: pool of connections.
        tenant_id: tenant whose transactions are searched.
        search: filters that a transaction has to pass.
        limit: most transactions of the page.
        reader: person that the access log names.
        after: end of the page before.
    """
    most = limit if after else MAX_COUNTED
    with tenant_transaction(engine, tenant_id) as connection:
        looked = look(connection, tenant_id, search, limit=most + 1, after=after)
        shown = min(len(looked), limit)
        ids = [looked.id_at(index) for index in range(shown)]
        figures = None if after else _figures_of(connection, tenant_id, looked)
        cases = read_cases(connection, tenant_id, ids)
        by = SearchReader(reader, "transactions.searched")
        _log(connection, tenant_id, search, by, ids[0] if ids else None, len(cases))
    is_cut = len(looked) > limit
    place = looked.place_at(limit - 1) if is_cut else looked.end
    since = None if looked.end is None or is_cut else _time_of(looked.end.last)
    return FoundEvents(cases, figures, place, since)


def find_event_ids(
    engine: Engine,
    tenant_id: int,
    search: EventSearch,
    *,
    limit: int,
    reader: SearchReader,
    now_s: Callable[[], float] = time.monotonic,
) -> tuple[bytes, bool]:
    """Return the ids of the newest transactions, and whether more follow; others as `find_events`.

    It looks until there are no more. The ids are ID_BYTES each, as `read_transactions` takes them.
    Whoever asked may be gone long before, with the reply that a request took too long; so it gives
    up by itself.

    Raises:
        LookedTooLong: there is more to look at after MAX_LOOKING_S.
    """
    packed, place = bytearray(), None
    ends_at = now_s() + MAX_LOOKING_S
    while True:
        if now_s() > ends_at:
            raise LookedTooLong
        with tenant_transaction(engine, tenant_id) as connection:
            missing = limit + 1 - len(packed) // ID_BYTES
            looked = look(connection, tenant_id, search, limit=missing, after=place)
        packed += looked.ids
        place = looked.end
        if place is None:
            break
    page = bytes(packed[: limit * ID_BYTES])
    first = UUID(bytes=page[:ID_BYTES]) if page else None
    with tenant_transaction(engine, tenant_id) as connection:
        _log(connection, tenant_id, search, reader, first, len(page) // ID_BYTES)
    return page, len(page) < len(packed)


def _figures_of(connection: Connection, tenant_id: int, looked: Looked) -> Figures:
    """Return figures of the newest MAX_COUNTED transactions of a look."""
    if len(looked) == 0:
        return Figures(0, looked.end is not None, 0.0, {}, {})
    counted = min(len(looked), MAX_COUNTED)
    # The least and the greatest one leave the months that they are in.
    ends = looked.ends(counted)
    ids = cast(literal(looked.as_array(counted)), ARRAY(Uuid))
    wanted = func.unnest(ids).table_valued(column("id", Uuid)).render_derived("found")
    # LIMIT 1 keeps each part a look-up by index, see `read_cases`.
    event = (
        select(TransactionRow.amount)
        .where(
            TransactionRow.tenant_id == tenant_id,
            TransactionRow.id == wanted.c.id,
            TransactionRow.id.between(*ends),
        )
        .limit(1)
        .lateral("event")
    )
    decision = (
        select(PredictionRow.decision)
        .where(*predictions_of(tenant_id, ends), PredictionRow.transaction_id == wanted.c.id)
        .limit(1)
        .lateral("decision")
    )
    latest = (
        select(FeedbackRow.label)
        .where(FeedbackRow.tenant_id == tenant_id, FeedbackRow.transaction_id == wanted.c.id)
        .order_by(FeedbackRow.id.desc())
        .limit(1)
        .lateral("latest")
    )
    statement = (
        select(
            decision.c.decision,
            func.coalesce(latest.c.label, "none"),
            func.count(),
            func.coalesce(func.sum(event.c.amount), 0.0),
        )
        .select_from(wanted)
        .join(event, true())
        .join(decision, true())
        .outerjoin(latest, true())
        .group_by(decision.c.decision, latest.c.label)
    )
    rows = connection.execute(statement).all()
    outcomes: dict[str, int] = {}
    verdicts: dict[str, int] = {}
    for outcome, verdict, count, _ in rows:
        outcomes[outcome] = outcomes.get(outcome, 0) + count
        verdicts[verdict] = verdicts.get(verdict, 0) + count
    is_capped = len(looked) > counted or looked.end is not None
    amount = sum(row[3] for row in rows)
    return Figures(sum(outcomes.values()), is_capped, amount, outcomes, verdicts)


def _time_of(id_: UUID) -> datetime:
    return datetime.fromtimestamp(unix_ms_of(id_) / 1000, UTC)


def find_by_id(
    engine: Engine, tenant_id: int, typed: str, event_type: EventType, *, reader: Actor
) -> FoundById:
    """Return what an id stands for; the access log names the reader where it is anything.

    Args:
        engine: pool of connections.
        tenant_id: tenant whose rows are looked up.
        typed: id of a transaction, of a prediction or of an entity, or an external id.
        event_type: the tenant's event type, whose entities are looked up.
        reader: person who looks.
    """
    with tenant_transaction(engine, tenant_id) as connection:
        transactions = tuple(ids_of(connection, tenant_id, typed))
        kinds = dict.fromkeys(
            one.entity
            for one in event_type.kept.values()
            if one.entity and _has_events(connection, tenant_id, one.name, one.role, typed)
        )
        found = FoundById(transactions, tuple(kinds))
        if found != FoundById():
            details = {"filter": {"id": typed}, "rows": len(transactions)}
            object_ = transaction_object(transactions[0]) if transactions else account_object(typed)
            log_access(connection, tenant_id, reader, "transactions.searched", object_, details)
    return found


def _has_events(
    connection: Connection, tenant_id: int, field: str, role: str | None, key: str
) -> bool:
    """Return whether an entity field had a key in any event."""
    ways = []
    if role in ("payer", "payee"):
        column = TransactionRow.name_orig if role == "payer" else TransactionRow.name_dest
        ways.append(exists().where(TransactionRow.tenant_id == tenant_id, column == key))
    ways += [
        exists().where(row.tenant_id == tenant_id, row.entity == field, row.key == key)
        for row in (EntityEventRow, EntitySegmentRow)
    ]
    return any(connection.execute(select(way)).scalar_one() for way in ways)


def _log(
    connection: Connection,
    tenant_id: int,
    search: EventSearch,
    reader: SearchReader,
    first: UUID | None,
    rows: int,
) -> None:
    """Log who searched for what, with the case or account, if it was one."""
    found = None
    if search.external_id is not None and first is not None:
        found = transaction_object(first)
    elif search.typed is not None:
        found = account_object(search.typed)
    details = {"filter": search.filters(), "rows": rows}
    log_access(connection, tenant_id, reader.actor, reader.action, found, details)
