"""The statements of a search by fields, decision and feedback."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Connection,
    Double,
    Select,
    case,
    cast,
    exists,
    func,
    select,
    union,
)
from sqlalchemy.orm import aliased

from persistence.review.event_search import EventSearch, FieldFilter
from persistence.review.search import claimed_transaction
from persistence.tables.decisions import PredictionRow, TransactionRow
from persistence.tables.review import FeedbackRow
from persistence.uuid7 import first_id_at
from scoring.transaction import WIRE_NAMES

_COLUMNS = {wire: name for name, wire in WIRE_NAMES.items()}
_ROLES = {"payer": TransactionRow.name_orig, "payee": TransactionRow.name_dest}


class KnownIds(NamedTuple):
    """The transactions that the ids of a search stand for.

    Attributes:
        typed: those of the id that was typed.
        external: those of the external id; None where the search has none.
    """

    typed: Sequence[UUID]
    external: Sequence[UUID] | None


def known_ids(connection: Connection, tenant_id: int, search: EventSearch) -> KnownIds:
    """Look up the ids of a search."""
    typed, external = search.typed, search.external_id
    return KnownIds(
        ids_of(connection, tenant_id, typed) if typed is not None else [],
        _by_external_id(connection, tenant_id, external) if external is not None else None,
    )


def found_ids(
    tenant_id: int,
    search: EventSearch,
    known: KnownIds,
    *,
    limit: int,
    before: UUID | None = None,
) -> Select[Any]:
    """Return the statement of the newest transactions that pass a search: `id`, newest first.

    Args:
        tenant_id: tenant whose transactions are searched.
        search: filters.
        known: transactions that the search's ids stand for.
        limit: most transactions.
        before: id of the last transaction of the page before.
    """
    conditions = list(_conditions(tenant_id, search, before))
    if known.external is not None:
        conditions.append(TransactionRow.id.in_(known.external))
    # Each way has its own index, and gives its newest few.
    ways = [
        select(TransactionRow.id)
        .where(*conditions, *way)
        .order_by(TransactionRow.id.desc())
        .limit(limit)
        for way in _ways(search, known)
    ]
    if len(ways) == 1:
        return ways[0]
    either = union(*(select(way.subquery().c.id) for way in ways)).subquery()
    return select(either.c.id).order_by(either.c.id.desc()).limit(limit)


def ids_of(connection: Connection, tenant_id: int, typed: str) -> list[UUID]:
    """Return the transactions that an id stands for: its own, its prediction's or the caller's."""
    found = set(_by_external_id(connection, tenant_id, typed))
    uuid = as_uuid(typed)
    if uuid is not None:
        own = select(TransactionRow.id).where(
            TransactionRow.tenant_id == tenant_id, TransactionRow.id == uuid
        )
        predicted = select(PredictionRow.transaction_id).where(
            PredictionRow.tenant_id == tenant_id, PredictionRow.id == uuid
        )
        found.update(connection.execute(own).scalars())
        found.update(connection.execute(predicted).scalars())
    return sorted(found)


def _by_external_id(connection: Connection, tenant_id: int, external_id: str) -> list[UUID]:
    found = connection.execute(select(claimed_transaction(tenant_id, external_id))).scalars()
    return [one for one in found if one is not None]


def as_uuid(typed: str) -> UUID | None:
    """Return what was typed as a UUID; None where it is none."""
    try:
        return UUID(typed)
    except ValueError:
        return None


def _ways(search: EventSearch, known: KnownIds) -> list[tuple[ColumnElement[bool], ...]]:
    """Return the conditions that indexes answer; an event has to pass one of them."""
    if search.typed is None:
        return [()]
    accounts = [(role == search.typed,) for role in _ROLES.values()]
    return [(TransactionRow.id.in_(known.typed),), *accounts]


def _conditions(
    tenant_id: int, search: EventSearch, before: UUID | None
) -> Iterator[ColumnElement[bool]]:
    yield TransactionRow.tenant_id == tenant_id
    if before is not None:
        yield TransactionRow.id < before
    # An id carries its time and partitions are ranges of ids, so these two leave out whole months.
    if search.from_ms is not None:
        yield TransactionRow.id >= first_id_at(search.from_ms)
    if search.to_ms is not None:
        yield TransactionRow.id < first_id_at(search.to_ms)
    if search.amount_min is not None:
        yield TransactionRow.amount >= search.amount_min
    if search.amount_max is not None:
        yield TransactionRow.amount <= search.amount_max
    for one in search.fields:
        yield from _of_field(search, one)
    decision = list(_of_decision(search))
    if decision:
        yield exists().where(
            *of_transaction(tenant_id, search, TransactionRow.__table__.c.id), *decision
        )
    if search.verdict is not None:
        yield _of_verdict(tenant_id, search)


def of_transaction(
    tenant_id: int, search: EventSearch, transaction_id: ColumnElement[UUID]
) -> Iterator[ColumnElement[bool]]:
    """Yield the conditions of the prediction of a transaction of a search.

    A prediction's id has the millisecond of its transaction's (`persistence.uuid7.new_ids`), so the
    search's times leave out the other months of predictions too.
    """
    yield PredictionRow.tenant_id == tenant_id
    yield PredictionRow.transaction_id == transaction_id
    if search.from_ms is not None:
        yield PredictionRow.id >= first_id_at(search.from_ms)
    if search.to_ms is not None:
        yield PredictionRow.id < first_id_at(search.to_ms)


def _of_decision(search: EventSearch) -> Iterator[ColumnElement[bool]]:
    if search.score_min is not None:
        yield PredictionRow.score >= search.score_min
    if search.score_max is not None:
        yield PredictionRow.score <= search.score_max
    if search.band is not None:
        yield PredictionRow.risk_band == search.band
    if search.outcome is not None:
        yield PredictionRow.decision == search.outcome


def _of_verdict(tenant_id: int, search: EventSearch) -> ColumnElement[bool]:
    given, later = aliased(FeedbackRow), aliased(FeedbackRow)
    of_event = [given.tenant_id == tenant_id, given.transaction_id == TransactionRow.id]
    if search.verdict == "none":
        return ~exists().where(*of_event)
    is_later = exists().where(
        later.tenant_id == tenant_id,
        later.transaction_id == given.transaction_id,
        later.id > given.id,
    )
    latest = select(given.transaction_id).where(
        given.tenant_id == tenant_id, given.label == search.verdict, ~is_later
    )
    # Feedback is what people wrote: few rows, which lead to the events.
    if search.from_ms is not None:
        latest = latest.where(given.transaction_id >= first_id_at(search.from_ms))
    if search.to_ms is not None:
        latest = latest.where(given.transaction_id < first_id_at(search.to_ms))
    return TransactionRow.id.in_(latest)


def _of_field(search: EventSearch, one: FieldFilter) -> Iterator[ColumnElement[bool]]:
    if one.field.role in _ROLES:
        yield _ROLES[one.field.role] == one.value
        return
    if search.is_paysim:
        column = TransactionRow.__table__.c[_COLUMNS[one.field.name]]
        as_number: ColumnElement[Any] = column
        as_text: ColumnElement[Any] = column
    else:
        stored = TransactionRow.fields
        as_text = stored.op("->>")(one.field.name)
        is_number = func.jsonb_typeof(stored.op("->")(one.field.name)) == "number"
        # A version of the event type before this one may have had text in the field.
        as_number = case((is_number, cast(as_text, Double)))
    if one.value is not None:
        yield as_text == one.value
    if one.minimum is not None:
        yield as_number >= one.minimum
    if one.maximum is not None:
        yield as_number <= one.maximum
