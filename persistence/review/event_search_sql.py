"""The conditions of a search by fields, decision and feedback."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Double,
    FromClause,
    Text,
    Uuid,
    case,
    cast,
    func,
    select,
    true,
)

from persistence.review.event_search import EventSearch, FieldFilter
from persistence.tables.decisions import PredictionRow
from persistence.tables.review import FeedbackRow
from persistence.uuid7 import first_id_at
from scoring.policy import OUTCOMES, RISK_BANDS
from scoring.transaction import WIRE_NAMES

_COLUMNS = {wire: name for name, wire in WIRE_NAMES.items()}
ROLES = {"payer": "name_orig", "payee": "name_dest"}
"""Column of each role that has an index."""


def in_time(
    column: ColumnElement[UUID], search: EventSearch, before: UUID | None
) -> Iterator[ColumnElement[bool]]:
    """Yield the conditions of the times of a search on an id, which carries its time.

    Partitions are ranges of ids, so these leave out whole months.

    Args:
        column: id of a transaction, or of a prediction, which has the millisecond of its
            transaction's (`persistence.uuid7.new_ids`).
        search: filters.
        before: id before which the ids are; None: no such limit.
    """
    if before is not None:
        yield column < before
    if search.from_ms is not None:
        yield column >= first_id_at(search.from_ms)
    if search.to_ms is not None:
        yield column < first_id_at(search.to_ms)


def of_event(search: EventSearch, event: FromClause) -> Iterator[ColumnElement[bool]]:
    """Yield the conditions of the amount and the fields.

    Args:
        search: filters.
        event: columns of transactions.
    """
    if search.amount_min is not None:
        yield event.c.amount >= search.amount_min
    if search.amount_max is not None:
        yield event.c.amount <= search.amount_max
    for one in search.fields:
        yield from _of_field(search, one, event)


def of_decision(search: EventSearch) -> Iterator[ColumnElement[bool]]:
    """Yield the conditions of the score, the band and the outcome."""
    if search.outcome is not None:
        yield PredictionRow.decision == search.outcome
    if search.band is not None:
        yield PredictionRow.risk_band == search.band
    if search.score_min is not None:
        yield PredictionRow.score >= search.score_min
    if search.score_max is not None:
        yield PredictionRow.score <= search.score_max


def of_decision_by_index(tenant_id: int, search: EventSearch) -> Iterator[ColumnElement[bool]]:
    """Yield the same conditions, and those that make each one a range of the index."""
    yield PredictionRow.tenant_id == tenant_id
    yield PredictionRow.reviewed.in_((True, False))
    if search.outcome is None:
        yield PredictionRow.decision.in_(OUTCOMES)
    if search.band is None:
        yield PredictionRow.risk_band.in_(RISK_BANDS)
    yield from of_decision(search)


def with_decision(
    tenant_id: int, search: EventSearch, event: FromClause, joined: FromClause
) -> FromClause:
    """Join the decisions that pass to transactions, each by a look-up.

    Args:
        tenant_id: tenant whose decisions they are.
        search: filters.
        event: transactions, with their id.
        joined: what they are joined to.
    """
    conditions = list(of_decision(search))
    if not conditions:
        return joined
    column = PredictionRow.__table__.c.id
    in_month = in_time(column, search, None)
    if search.from_ms is None:
        in_month = _in_millisecond(column, event.c.id)
    decision = (
        select(PredictionRow.id)
        .where(
            PredictionRow.tenant_id == tenant_id,
            PredictionRow.transaction_id == event.c.id,
            *in_month,
            *conditions,
        )
        .limit(1)
        .lateral("decision")
    )
    return joined.join(decision, true())


def _in_millisecond(
    column: ColumnElement[UUID], other: ColumnElement[UUID]
) -> Iterator[ColumnElement[bool]]:
    """Yield the conditions that an id has the millisecond of another one, and so its month."""
    millisecond = func.left(cast(other, Text), 13)
    yield column >= cast(millisecond.concat("-0000-0000-000000000000"), Uuid)
    yield column <= cast(millisecond.concat("-ffff-ffff-ffffffffffff"), Uuid)


def with_verdict(
    tenant_id: int, search: EventSearch, event: FromClause, joined: FromClause
) -> tuple[FromClause, list[ColumnElement[bool]]]:
    """Join the latest feedback of transactions, and return its condition, if there is one."""
    if search.verdict is None:
        return joined, []
    latest = (
        select(FeedbackRow.label)
        .where(FeedbackRow.tenant_id == tenant_id, FeedbackRow.transaction_id == event.c.id)
        .order_by(FeedbackRow.id.desc())
        .limit(1)
        .lateral("latest")
    )
    found = joined.outerjoin(latest, true())
    if search.verdict == "none":
        return found, [latest.c.label.is_(None)]
    return found, [latest.c.label == search.verdict]


def _of_field(
    search: EventSearch, one: FieldFilter, event: FromClause
) -> Iterator[ColumnElement[bool]]:
    if one.field.role in ROLES:
        yield event.c[ROLES[one.field.role]] == one.value
        return
    if search.is_paysim:
        as_number: ColumnElement[Any] = event.c[_COLUMNS[one.field.name]]
        as_text: ColumnElement[Any] = as_number
    else:
        as_text = event.c.fields.op("->>")(one.field.name)
        is_number = func.jsonb_typeof(event.c.fields.op("->")(one.field.name)) == "number"
        # A version of the event type before this one may have had text in the field.
        as_number = case((is_number, cast(as_text, Double)))
    if one.value is not None:
        yield as_text == one.value
    if one.minimum is not None:
        yield as_number >= one.minimum
    if one.maximum is not None:
        yield as_number <= one.maximum
