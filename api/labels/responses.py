"""Replies of the labels route, built from the domain's values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

from api.labels.schemas import LabelsOut, StoredLabelOut
from api.review.responses import effective_out, label_out
from scoring.labels import EventLabel


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
