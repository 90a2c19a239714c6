"""Labels as replies show them, built from the domain's values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

from api.labels.schemas import LabelOut, LabelsOut, StoredLabelOut
from scoring.labels import EventLabel, LabelValue


def label_out(label: EventLabel) -> LabelOut:
    """Return the reply of one label."""
    return LabelOut(
        id=label.id,
        label=label.label,
        source=label.source,
        reversed=label.reversed,
        occurred_at=label.occurred_at,
        amount_lost=label.amount_lost,
        actor=label.actor,
        created_at=label.created_at,
    )


def effective_out(label: EventLabel | None) -> LabelValue | None:
    """Return what an event was by the label that counts."""
    return label.label if label else None


def labels_out(
    stored: Sequence[tuple[UUID, EventLabel]], effective: Mapping[UUID, EventLabel | None]
) -> LabelsOut:
    """Return the reply of stored labels.

    Args:
        stored: labels with their events, in the order of the request.
        effective: label that counts by event.
    """
    return LabelsOut(
        labels=[
            StoredLabelOut(
                **dict(label_out(label)),
                transaction_id=transaction_id,
                effective_label=effective_out(effective[transaction_id]),
            )
            for transaction_id, label in stored
        ]
    )
