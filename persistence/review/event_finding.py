"""Search decisions by fields, decision and feedback: pages, figures of the result, and one id."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Connection, Engine, LargeBinary, exists, func, literal, select, true
from sqlalchemy.dialects.postgresql import aggregate_order_by

from persistence.access_log import account_object, log_access, transaction_object
from persistence.actor import Actor
from persistence.review.cases import Case, Page, cut, read_cases
from persistence.review.event_search import EventSearch
from persistence.review.event_search_sql import found_ids, ids_of, known_ids, of_transaction
from persistence.review.search import ID_BYTES, SearchReader
from persistence.tables.decisions import PredictionRow, TransactionRow
from persistence.tables.history import EntityEventRow, EntitySegmentRow
from persistence.tables.review import FeedbackRow
from persistence.tenancy import tenant_transaction
from scoring.event_type.fields import EventType

MAX_COUNTED = 2_000
"""Transactions that figures of a result are made of; a larger result has the newest ones."""


@dataclass(frozen=True, slots=True)
class Figures:
    """Figures of the result of a search.

    Attributes:
        count: number of transactions, at most MAX_COUNTED.
        is_capped: whether there are, or may be, more than MAX_COUNTED.
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


def find_events(
    engine: Engine,
    tenant_id: int,
    search: EventSearch,
    *,
    limit: int,
    reader: Actor,
    before: UUID | None = None,
) -> Page[Case, UUID]:
    """Return a page of transactions with their decisions and latest feedback, newest first.

    Args:
        engine: pool of connections.
        tenant_id: tenant whose transactions are searched.
        search: filters that a transaction has to pass.
        limit: most transactions of the page.
        reader: person that the access log names.
        before: id of the last transaction of the page before.
    """
    with tenant_transaction(engine, tenant_id) as connection:
        known = known_ids(connection, tenant_id, search)
        statement = found_ids(tenant_id, search, known, limit=limit + 1, before=before)
        ids, last = cut(connection.execute(statement).scalars().all(), limit)
        cases = read_cases(connection, tenant_id, ids)
        by = SearchReader(reader, "transactions.searched")
        first = cases[0].decided.transaction_id if cases else None
        _log(connection, tenant_id, search, by, first, len(cases))
    return Page(cases, last)


def find_event_ids(
    engine: Engine, tenant_id: int, search: EventSearch, *, limit: int, reader: SearchReader
) -> tuple[bytes, bool]:
    """Return the ids of the newest transactions, and whether more follow; others as `find_events`.

    The ids are ID_BYTES each, as `read_transactions` takes them.
    """
    with tenant_transaction(engine, tenant_id) as connection:
        known = known_ids(connection, tenant_id, search)
        ids = found_ids(tenant_id, search, known, limit=limit + 1).subquery()
        newest_first = aggregate_order_by(literal(b"", LargeBinary), ids.c.id.desc())
        packing = func.string_agg(func.uuid_send(ids.c.id), newest_first, type_=LargeBinary)
        packed = bytes(connection.execute(select(packing)).scalar_one() or b"")
        page = packed[: limit * ID_BYTES]
        first = UUID(bytes=page[:ID_BYTES]) if page else None
        _log(connection, tenant_id, search, reader, first, len(page) // ID_BYTES)
    return page, len(page) < len(packed)


def figures_of(engine: Engine, tenant_id: int, search: EventSearch) -> Figures:
    """Return figures of the newest MAX_COUNTED transactions that pass a search."""
    with tenant_transaction(engine, tenant_id) as connection:
        known = known_ids(connection, tenant_id, search)
        ids = (
            found_ids(tenant_id, search, known, limit=MAX_COUNTED)
            .cte("found")
            .prefix_with("MATERIALIZED")
        )
        # LIMIT 1 keeps each part a look-up by index, see `read_cases`.
        event = (
            select(TransactionRow.id, TransactionRow.amount)
            .where(TransactionRow.tenant_id == tenant_id, TransactionRow.id == ids.c.id)
            .limit(1)
            .lateral("event")
        )
        decision = (
            select(PredictionRow.decision)
            .where(*of_transaction(tenant_id, search, event.c.id))
            .limit(1)
            .lateral("decision")
        )
        latest = (
            select(FeedbackRow.label)
            .where(FeedbackRow.tenant_id == tenant_id, FeedbackRow.transaction_id == ids.c.id)
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
            .select_from(ids)
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
    count = sum(outcomes.values())
    amount = sum(row[3] for row in rows)
    return Figures(count, count >= MAX_COUNTED, amount, outcomes, verdicts)


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
