"""Wire schemas of labels: the body and the reply."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from scoring.external_id import EXTERNAL_ID_PATTERN
from scoring.labels import LabelSource, LabelValue
from scoring.transaction import MAX_AMOUNT
from web.schemas import Timestamp

MAX_LABELS = 1000


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class LabelIn(_Request):
    """What a source reports about an event, which is named by one of its two ids."""

    external_id: str | None = Field(
        default=None,
        pattern=EXTERNAL_ID_PATTERN,
        description="your own id of the event; or `transaction_id`",
    )
    transaction_id: Annotated[UUID, Field(strict=False)] | None = Field(
        default=None, description="`transaction_id` of the decision; or `external_id`"
    )
    label: Literal["fraud", "legitimate"] = Field(
        description="what the event was; of a reversal: the label that is withdrawn"
    )
    source: LabelSource = Field(
        description="who reports it, the most trusted first: chargeback, analyst, customer, rule, "
        "import"
    )
    occurred_at: AwareDatetime | None = Field(
        default=None,
        description="when it became known: RFC 3339 with an offset, from 1970 on, at most 5 "
        "minutes ahead of the service's clock, and not before the event's own time where it has "
        "one; left out: now",
    )
    amount_lost: float | None = Field(
        default=None, ge=0, le=MAX_AMOUNT, allow_inf_nan=False, description="money that was lost"
    )
    reversed: bool | None = Field(
        default=None,
        description="true: the source withdraws its earlier label, such as after a dispute that "
        "was won",
    )


class LabelsIn(_Request):
    """Up to 1000 labels, stored together or not at all."""

    labels: list[LabelIn] = Field(min_length=1, max_length=MAX_LABELS)


class LabelOut(BaseModel):
    """What a source reported about an event."""

    id: int
    label: LabelValue = Field(
        description="what the event was; `escalated`: an analyst leaves it open"
    )
    source: LabelSource
    reversed: bool = Field(description="withdraws the source's earlier label")
    occurred_at: Timestamp = Field(description="when it became known")
    amount_lost: float | None = Field(description="money that was lost; null: not known")
    actor: str = Field(description="name of the API key, or the user of a command")
    created_at: Timestamp = Field(description="when it was stored")


EffectiveLabel = Annotated[
    LabelValue | None,
    Field(
        description="the label that counts: the latest of the most trusted source that has one; "
        "`escalated`: an analyst leaves it open and no source has one; null: there is none"
    ),
]


class StoredLabelOut(LabelOut):
    """A stored label, and what its event counts as now."""

    transaction_id: UUID
    effective_label: EffectiveLabel


class LabelsOut(BaseModel):
    """The stored labels in the order of the request."""

    labels: list[StoredLabelOut]
