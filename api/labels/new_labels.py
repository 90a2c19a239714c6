"""The labels of a request in the terms of persistence, and the errors that name each of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from api.labels.schemas import LabelIn
from persistence.labels.writer import NewLabel
from scoring.counted import counted
from scoring.errors import FieldError, InvalidRequest, NotFound
from scoring.labels import early_fault, time_fault
from web.invalid_fields import invalid_fields

_ONE_ID = "name the event by external_id or by transaction_id, one of the two"
_UNKNOWN = "no decision of yours has it"


def new_labels(labels: Sequence[LabelIn], now: datetime) -> list[NewLabel]:
    """Return labels as they are stored.

    Args:
        labels: labels of the request.
        now: current time, an aware datetime: that of the labels that have none.

    Raises:
        InvalidRequest: a label names no event, or two, or a time that has not been; names each.
    """
    if findings := [
        finding for i, label in enumerate(labels) for finding in _faults(i, label, now)
    ]:
        raise invalid_fields(findings)
    return [
        NewLabel(
            label.external_id,
            label.transaction_id,
            label.label,
            label.source,
            label.occurred_at or now,
            label.amount_lost,
            bool(label.reversed),
        )
        for label in labels
    ]


def unknown_events(labels: Sequence[NewLabel], places: Sequence[int]) -> NotFound:
    """Return the error of labels whose events do not exist; it names each.

    Args:
        labels: labels of the request.
        places: places of those labels, from 0.
    """
    return NotFound(
        f"{len(places):,} of {counted(len(labels), 'event')} "
        f"{'is' if len(places) == 1 else 'are'} not there; nothing was stored.",
        errors=tuple(
            FieldError(f"labels.{place}.{_id_of(labels[place])}", _UNKNOWN) for place in places
        ),
    )


def early_labels(early: Mapping[int, datetime]) -> InvalidRequest:
    """Return the error of labels that became known before their events; it names each.

    Args:
        early: time of the event by the place of the label, from 0.
    """
    return invalid_fields(
        [
            (("labels", place, "occurred_at"), early_fault(event_at))
            for place, event_at in early.items()
        ]
    )


def _faults(
    place: int, label: LabelIn, now: datetime
) -> Iterator[tuple[tuple[int | str, ...], str]]:
    if (label.external_id is None) is (label.transaction_id is None):
        yield ("labels", place, "external_id"), _ONE_ID
    fault = time_fault(label.occurred_at, now) if label.occurred_at else None
    if fault:
        yield ("labels", place, "occurred_at"), fault


def _id_of(label: NewLabel) -> str:
    return "transaction_id" if label.external_id is None else "external_id"
