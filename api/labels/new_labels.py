"""The labels of a request in the terms of persistence, and the errors that name each of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection

from api.labels.schemas import LabelIn
from persistence.labels.writer import NewLabel, existing_events, find_events
from scoring.errors import FieldError, NotFound
from web.invalid_fields import invalid_fields

CLOCK_SKEW = timedelta(minutes=5)
"""How far a sender's clock may be ahead of the service's."""
EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)

_ONE_ID = "name the event by external_id or by transaction_id, one of the two"
_UNKNOWN = "no decision of yours has it"


def check_labels(labels: Sequence[LabelIn], now: datetime) -> None:
    """Raise InvalidRequest unless each label names one event and a time that has been.

    Args:
        labels: labels of the request.
        now: current time, an aware datetime.
    """
    if findings := [
        finding for i, label in enumerate(labels) for finding in _faults(i, label, now)
    ]:
        raise invalid_fields(findings)


def new_labels(
    connection: Connection, tenant_id: int, labels: Sequence[LabelIn], now: datetime
) -> list[NewLabel]:
    """Return checked labels with their events.

    Args:
        connection: connection inside a `tenant_transaction`.
        tenant_id: tenant whose events they are.
        labels: labels of the request.
        now: time of the labels that have none.

    Raises:
        NotFound: an event is not there, or another tenant's; names each.
    """
    keys = {label.external_id for label in labels if label.external_id is not None}
    ids = {label.transaction_id for label in labels if label.transaction_id is not None}
    of_key = find_events(connection, tenant_id, keys)
    existing = existing_events(connection, tenant_id, ids)
    found: list[NewLabel] = []
    unknown: list[FieldError] = []
    for i, label in enumerate(labels):
        event = _event(label, of_key, existing)
        if event is None:
            name = "transaction_id" if label.external_id is None else "external_id"
            unknown.append(FieldError(f"labels.{i}.{name}", _UNKNOWN))
            continue
        found.append(
            NewLabel(
                event,
                label.label,
                label.source,
                label.occurred_at or now,
                label.amount_lost,
                bool(label.reversed),
            )
        )
    if unknown:
        raise NotFound(
            f"{len(unknown)} of {len(labels)} events are not there; nothing was stored.",
            errors=tuple(unknown),
        )
    return found


def _faults(
    place: int, label: LabelIn, now: datetime
) -> Iterator[tuple[tuple[int | str, ...], str]]:
    if (label.external_id is None) is (label.transaction_id is None):
        yield ("labels", place, "external_id"), _ONE_ID
    if label.occurred_at is None:
        return
    if label.occurred_at < EARLIEST:
        yield ("labels", place, "occurred_at"), "must not be before 1970"
    elif label.occurred_at > now + CLOCK_SKEW:
        yield ("labels", place, "occurred_at"), "must not be in the future"


def _event(label: LabelIn, of_key: dict[str, UUID], existing: set[UUID]) -> UUID | None:
    if label.external_id is not None:
        return of_key.get(label.external_id)
    return label.transaction_id if label.transaction_id in existing else None
