"""Cases: a transaction with its decision, its feedback and its labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any, Generic, Literal, TypeVar
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BindParameter,
    ColumnElement,
    Connection,
    Select,
    Uuid,
    bindparam,
    func,
    select,
    true,
)

from persistence.decisions.rows import (
    TRANSACTION_COLUMNS,
    Decided,
    decided_from,
    of_event_type,
    of_version,
)
from persistence.labels.history import latest_labels
from persistence.maintenance.partitions import Month
from persistence.tables.decisions import PredictionRow, TransactionRow
from persistence.tables.review import FeedbackRow
from persistence.uuid7 import unix_ms_of
from scoring.labels import EventLabel, effective_label

Label = Literal["confirmed_fraud", "false_positive", "escalated"]

Entry = TypeVar("Entry")
Position = TypeVar("Position")


@dataclass(frozen=True, slots=True)
class Feedback:
    """An analyst's label of a transaction.

    Attributes:
        id: number that grows from one to the next.
        label: what the transaction was, or that somebody else has to decide.
        rationale: reason in the analyst's words.
        actor: name of the API key.
        created_at: time at which it was stored.
    """

    id: int
    label: Label
    rationale: str
    actor: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Case:
    """A decision and its review.

    Attributes:
        decided: transaction and decision.
        undecided: whether no analyst has settled it; a case that is only escalated is not settled.
        feedback: feedback, latest first; in a list of cases the latest alone.
        label: label that counts; None where no source has one.
        labels: labels of all sources, latest first; in a list of cases none.
    """

    decided: Decided
    undecided: bool
    feedback: tuple[Feedback, ...]
    label: EventLabel | None = None
    labels: tuple[EventLabel, ...] = ()


@dataclass(frozen=True, slots=True)
class Page(Generic[Entry, Position]):
    """A page of a longer list.

    Attributes:
        entries: part of the list, in its order.
        next: position in the list's own order after which the next page begins; None on the last
            page. It is that of the last row that was found, also where a row's case is gone.
    """

    entries: list[Entry]
    next: Position | None


def cut(positions: Sequence[Position], limit: int) -> tuple[Sequence[Position], Position | None]:
    """Return the positions of a page, and its last one where the list goes on after it.

    Args:
        positions: positions of up to `limit + 1` rows, in the list's order.
        limit: most entries of a page.
    """
    if len(positions) <= limit:
        return positions, None
    return positions[:limit], positions[limit - 1]


FEEDBACK_COLUMNS = (
    FeedbackRow.id,
    FeedbackRow.label,
    FeedbackRow.rationale,
    FeedbackRow.actor,
    FeedbackRow.created_at,
)
_PREFIX = "feedback_"
_END_OF_TIME_S = datetime(9999, 1, 1, tzinfo=UTC).timestamp()


def read_cases(connection: Connection, tenant_id: int, ids: Sequence[UUID]) -> list[Case]:
    """Return the cases of transactions in the ids' order, each with its latest feedback and label.

    Args:
        connection: connection inside a `tenant_transaction`.
        tenant_id: tenant whose cases are read.
        ids: ids of transactions; those that are not there are left out.
    """
    if not ids:
        return []
    first_id, after_id = months_of(ids)
    given = {"tenant_id": tenant_id, "ids": list(ids), "first_id": first_id, "after_id": after_id}
    rows = connection.execute(_cases(), given).mappings()
    labels = latest_labels(connection, tenant_id, ids)
    found = {row["transaction_id"]: _case(row, labels) for row in rows}
    return [found[transaction_id] for transaction_id in ids if transaction_id in found]


@cache
def _cases() -> Select[Any]:
    """Return the statement of `read_cases`. To make it again for each page took 5 ms."""
    tenant_id: BindParameter[int] = bindparam("tenant_id")
    wanted = func.unnest(bindparam("ids", type_=ARRAY(Uuid)))
    wanted_ids = wanted.table_valued("id").render_derived("wanted_ids")
    # LIMIT 1 keeps each part a look-up by index: without it the planner may join a page of 50 rows
    # with whole tables.
    submitted = (
        select(*(TransactionRow.__table__.c[name] for name in TRANSACTION_COLUMNS), of_event_type())
        .where(TransactionRow.tenant_id == tenant_id, TransactionRow.id == wanted_ids.c.id)
        .limit(1)
        .lateral("submitted")
    )
    decision = (
        select(PredictionRow, *of_version())
        .where(
            PredictionRow.tenant_id == tenant_id,
            PredictionRow.id >= bindparam("first_id", type_=Uuid),
            PredictionRow.id < bindparam("after_id", type_=Uuid),
            PredictionRow.transaction_id == wanted_ids.c.id,
        )
        .limit(1)
        .lateral("decision")
    )
    latest = (
        select(*(column.label(_PREFIX + column.key) for column in FEEDBACK_COLUMNS))
        .where(FeedbackRow.tenant_id == tenant_id, FeedbackRow.transaction_id == wanted_ids.c.id)
        .order_by(FeedbackRow.id.desc())
        .limit(1)
        .lateral("latest")
    )
    parts = wanted_ids.join(submitted, true()).join(decision, true()).outerjoin(latest, true())
    return select(submitted, decision, latest).select_from(parts)


def predictions_of(tenant_id: int, ids: Sequence[UUID]) -> tuple[ColumnElement[bool], ...]:
    """Return the condition that leaves only the months in which transactions were decided.

    A prediction falls in its transaction's month (`persistence.uuid7.new_ids`), so no other
    partition is read.
    """
    first_id, after_id = months_of(ids)
    return (
        PredictionRow.tenant_id == tenant_id,
        PredictionRow.id >= first_id,
        PredictionRow.id < after_id,
    )


def months_of(ids: Sequence[UUID]) -> tuple[UUID, UUID]:
    """Return the first id of the months of transactions, and the first one after them."""
    return month_of(min(ids)).first_id, month_of(max(ids)).plus(1).first_id


def month_of(transaction_id: UUID) -> Month:
    """Return the month in which a transaction, and so its prediction, is kept."""
    # An id may be any 128 bits; no transaction is later than the last time that datetime can hold.
    seconds = min(unix_ms_of(transaction_id) / 1000, _END_OF_TIME_S)
    return Month.of(datetime.fromtimestamp(seconds, UTC))


def _case(row: Mapping[Any, Any], labels: Mapping[UUID, Sequence[EventLabel]]) -> Case:
    feedback: tuple[Feedback, ...] = ()
    if row[_PREFIX + "id"] is not None:
        feedback = (Feedback(*(row[_PREFIX + column.key] for column in FEEDBACK_COLUMNS)),)
    label = effective_label(labels.get(row["transaction_id"], ()))
    return Case(decided_from(row), not row["reviewed"], feedback, label)
