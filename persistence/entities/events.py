"""The events of one entity: the newest first, with what was decided and what they turned out to be.

Payers and payees have indexes of their own. The values of other entity fields are found among the
past events that windows read (`persistence.tables.history`).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, Literal, NamedTuple
from uuid import UUID

from sqlalchemy import (
    BindParameter,
    Connection,
    Integer,
    Select,
    Uuid,
    bindparam,
    select,
    text,
    union,
)

from persistence.labels.history import latest_labels
from persistence.review.cases import month_of
from persistence.tables.decisions import TransactionRow
from persistence.uuid7 import unix_ms_of
from scoring.event_type.fields import EventType
from scoring.labels import EventLabel, effective_label
from scoring.policy import Outcome, RiskBand
from scoring.windows.records import event_ids

MAX_RECENT = 1001
"""Past events of an entity outside of segments that are read."""
MAX_SEGMENTS = 10
"""Segments of an entity that are read; each has up to 128 past events or a few more."""
_First = Literal["newest", "earliest"]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_RECENT = text(
    f"""
    SELECT event_id FROM entity_events
    WHERE tenant_id = :tenant_id AND entity = :field AND key = :key
    ORDER BY time_us DESC LIMIT {MAX_RECENT}
    """  # noqa: S608 - a constant
)
_SEGMENTS = text(
    f"""
    SELECT records, events FROM entity_segments
    WHERE tenant_id = :tenant_id AND entity = :field AND key = :key
    ORDER BY id DESC LIMIT {MAX_SEGMENTS}
    """  # noqa: S608 - a constant
)
# The records of segments are not read.
_FIRST = text(
    """
    SELECT least(
        (SELECT min(time_us) FROM entity_events
            WHERE tenant_id = :tenant_id AND entity = :field AND key = :key),
        (SELECT min(since_us) FROM entity_segments
            WHERE tenant_id = :tenant_id AND entity = :field AND key = :key))
    """
)
# LIMIT 1 keeps each part a look-up by index, and the ends of its month leave one partition.
_DECISIONS = text(
    """
    SELECT wanted.id, t.amount, t.name_orig, t.name_dest, p.score, p.risk_band, p.decision
    FROM unnest(CAST(:ids AS uuid[]), CAST(:first AS uuid[]), CAST(:after AS uuid[]))
        AS wanted (id, first_id, after_id)
    CROSS JOIN LATERAL (
        SELECT amount, name_orig, name_dest FROM transactions
        WHERE tenant_id = :tenant_id AND id = wanted.id LIMIT 1
    ) AS t
    CROSS JOIN LATERAL (
        SELECT score, risk_band, decision FROM predictions
        WHERE tenant_id = :tenant_id AND transaction_id = wanted.id
            AND id >= wanted.first_id AND id < wanted.after_id LIMIT 1
    ) AS p
    ORDER BY wanted.id DESC
    """
)


@dataclass(frozen=True, slots=True)
class EntityPlaces:
    """Where the events of a tenant hold one kind of entity.

    Attributes:
        payer: whether the field whose role is payer does.
        payee: whether the field whose role is payee does.
        others: names of the other fields that do.
    """

    payer: bool
    payee: bool
    others: tuple[str, ...]

    def __bool__(self) -> bool:
        return self.payer or self.payee or bool(self.others)


@dataclass(frozen=True, slots=True)
class EntityEvent:
    """An event of an entity, with its decision.

    Attributes:
        id: id of the transaction.
        decided_at: time of the decision, which the id carries.
        amount: money moved; None without one.
        payer: entity that paid; None without one.
        payee: entity that received; None without one.
        score: calibrated probability of fraud.
        risk_band: band of the score.
        decision: outcome.
        label: label that counts; None where no source has one.
    """

    id: UUID
    decided_at: datetime
    amount: float | None
    payer: str | None
    payee: str | None
    score: float
    risk_band: RiskBand
    decision: Outcome
    label: EventLabel | None

    @property
    def is_fraud(self) -> bool:
        """Whether the event is known as a fraud."""
        return self.label is not None and self.label.label == "fraud"


def decided_at(transaction_id: UUID) -> datetime:
    """Return the time of a decision, which the id of its transaction carries."""
    return datetime.fromtimestamp(unix_ms_of(transaction_id) / 1000, UTC)


def places_of(event_type: EventType, entity: str) -> EntityPlaces:
    """Return where the events of an event type hold a kind of entity.

    Args:
        event_type: event type of the tenant.
        entity: slug of the kind, such as `customer`.
    """
    fields = [field for field in event_type.kept.values() if field.entity == entity]
    roles = {field.role for field in fields}
    others = tuple(field.name for field in fields if field.role not in ("payer", "payee"))
    return EntityPlaces("payer" in roles, "payee" in roles, others)


def newest_ids(
    connection: Connection,
    tenant_id: int,
    places: EntityPlaces,
    key: str,
    *,
    limit: int,
    before: UUID | None = None,
) -> list[UUID]:
    """Return the ids of an entity's events, the newest first.

    Args:
        connection: connection inside a `tenant_transaction`.
        tenant_id: tenant whose events are read.
        places: where its events hold the kind of entity.
        key: the entity, as events have it.
        limit: most ids.
        before: id of the event before which the ids are; None: the newest.
    """
    found = set(_newest_of_others(connection, tenant_id, places.others, key).ids)
    found.update(
        _of_columns(connection, tenant_id, places, key, "newest", limit=limit, beyond=before)
    )
    return sorted((one for one in found if before is None or one < before), reverse=True)[:limit]


def following_ids(
    connection: Connection,
    tenant_id: int,
    places: EntityPlaces,
    key: str,
    *,
    limit: int,
    after: UUID,
) -> list[UUID]:
    """Return the ids of an entity's events that follow one, the earliest first.

    Of an entity that neither pays nor receives, those that follow an event earlier than the newest
    MAX_RECENT are not known.

    Args:
        connection: connection inside a `tenant_transaction`.
        tenant_id: tenant whose events are read.
        places: where its events hold the kind of entity.
        key: the entity, as events have it.
        limit: most ids.
        after: id of the event after which the ids are.
    """
    others = _newest_of_others(connection, tenant_id, places.others, key)
    # Between an event that is earlier than all that was read and those, there may be others.
    found = set(others.ids) if after >= others.complete_from else set()
    found.update(
        _of_columns(connection, tenant_id, places, key, "earliest", limit=limit, beyond=after)
    )
    return sorted(one for one in found if one > after)[:limit]


def first_seen(
    connection: Connection, tenant_id: int, places: EntityPlaces, key: str
) -> datetime | None:
    """Return when an entity was seen first; None where it never was.

    Of payers and payees it is the time of the decision. Of other entities it is the event's own
    time, among the past events that are kept for windows (`persistence.history.retention`).

    Args:
        connection: connection inside a `tenant_transaction`.
        tenant_id: tenant whose events are read.
        places: where its events hold the kind of entity.
        key: the entity, as events have it.
    """
    ids = _of_columns(connection, tenant_id, places, key, "earliest", limit=1)
    times = [decided_at(one) for one in ids]
    for field in places.others:
        place = {"tenant_id": tenant_id, "field": field, "key": key}
        first_us = connection.execute(_FIRST, place).scalar_one()
        if first_us is not None:
            times.append(_EPOCH + timedelta(microseconds=first_us))
    return min(times, default=None)


def read_entity_events(
    connection: Connection, tenant_id: int, ids: Sequence[UUID]
) -> list[EntityEvent]:
    """Return events with their decisions, the newest first.

    Args:
        connection: connection inside a `tenant_transaction`.
        tenant_id: tenant whose events are read.
        ids: ids of the transactions; those that are not there are left out.
    """
    if not ids:
        return []
    first, after = _months(ids)
    given = {"tenant_id": tenant_id, "ids": _array(ids), "first": first, "after": after}
    labels = latest_labels(connection, tenant_id, ids)
    rows = connection.execute(_DECISIONS, given).tuples().all()
    return [
        EntityEvent(
            id_,
            decided_at(id_),
            amount,
            payer,
            payee,
            score,
            band,
            decision,
            _label(labels.get(id_)),
        )
        for id_, amount, payer, payee, score, band, decision in rows
    ]


def _label(labels: Sequence[EventLabel] | None) -> EventLabel | None:
    return effective_label(labels) if labels else None


def _months(ids: Sequence[UUID]) -> tuple[str, str]:
    """Return the first id of the month of each event, and that of the month after it, as arrays."""
    month, last = month_of(min(ids)), max(ids)
    starts = [month.first_id]
    while starts[-1] <= last:
        month = month.plus(1)
        starts.append(month.first_id)
    places = [bisect_right(starts, one) for one in ids]
    return _array(starts[i - 1] for i in places), _array(starts[i] for i in places)


def _array(ids: Iterable[UUID]) -> str:
    """Return ids as the text of an array, which takes a fifth of the time of a list."""
    return f"{{{','.join(map(str, ids))}}}"


def _of_columns(
    connection: Connection,
    tenant_id: int,
    places: EntityPlaces,
    key: str,
    first: _First,
    *,
    limit: int,
    beyond: UUID | None = None,
) -> Sequence[UUID]:
    """Return ids of events that an entity paid or received; none where it is neither.

    Args:
        connection: connection inside a `tenant_transaction`.
        tenant_id: tenant whose events are read.
        places: where its events hold the kind of entity.
        key: the entity, as events have it.
        first: order.
        limit: most ids of payments, and of receipts.
        beyond: id after which they are in the order; None: the first ones.
    """
    if not places.payer and not places.payee:
        return ()
    statement = _ids_of_columns(places.payer, places.payee, first, beyond is not None)
    given = {"tenant_id": tenant_id, "key": key, "limit": limit, "beyond": beyond}
    return connection.execute(statement, given).scalars().all()


@cache
def _ids_of_columns(payer: bool, payee: bool, first: _First, is_beyond: bool) -> Select[Any]:
    """Return the statement of `_of_columns`: two indexes, each of which gives its first few."""
    row = TransactionRow
    columns = [*([row.name_orig] if payer else []), *([row.name_dest] if payee else [])]
    beyond: BindParameter[UUID] = bindparam("beyond", type_=Uuid)
    after = row.id < beyond if first == "newest" else row.id > beyond
    found = [
        select(row.id)
        .where(row.tenant_id == bindparam("tenant_id"), column == bindparam("key"))
        .where(*([after] if is_beyond else []))
        .order_by(row.id.desc() if first == "newest" else row.id.asc())
        .limit(bindparam("limit", type_=Integer))
        for column in columns
    ]
    return select(union(*found).subquery().c.id)


class _Others(NamedTuple):
    """Newest past events of fields that name neither the payer nor the payee.

    Attributes:
        ids: their ids.
        complete_from: id from which on all of them were read.
    """

    ids: list[UUID]
    complete_from: UUID


def _newest_of_others(
    connection: Connection, tenant_id: int, fields: Sequence[str], key: str
) -> _Others:
    found: list[UUID] = []
    complete_from = UUID(int=0)
    for field in fields:
        place = {"tenant_id": tenant_id, "field": field, "key": key}
        recent = list(connection.execute(_RECENT, place).scalars())
        if len(recent) == MAX_RECENT:
            complete_from = max(complete_from, min(recent))
        segments = [
            [UUID(bytes=bytes(one)) for one in event_ids(bytes(records), events)]
            for records, events in connection.execute(_SEGMENTS, place)
        ]
        if len(segments) == MAX_SEGMENTS:
            complete_from = max(complete_from, *segments[-1])
        found += [*recent, *(one for segment in segments for one in segment)]
    return _Others(found, complete_from)
