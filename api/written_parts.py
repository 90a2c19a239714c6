"""What people write about the entities of lists and snoozes: the entity, the reason, a time."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, Field

from api.review.schemas import RATIONALE_PATTERN
from scoring.event_type.limits import MAX_ENTITY_LENGTH
from scoring.event_type.visible_text import visible_pattern
from scoring.lists.entity_list import MAX_REASON_LENGTH

EntityValue = Annotated[
    str,
    Field(
        min_length=1,
        max_length=MAX_ENTITY_LENGTH,
        pattern=visible_pattern(MAX_ENTITY_LENGTH, trimmed=True),
        description="entity, as payments have it; a whole number as its digits",
    ),
]
Reason = Annotated[
    str,
    Field(
        min_length=1,
        max_length=MAX_REASON_LENGTH,
        pattern=RATIONALE_PATTERN,
        description="sentence on why",
    ),
]


def _in_utc(moment: datetime) -> datetime:
    """Return a time in UTC, where Postgres and Python both have its year."""
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("must be within the years 1 to 9999 of UTC") from error


Moment = Annotated[AwareDatetime, AfterValidator(_in_utc)]
"""A time of a request: RFC 3339 with an offset."""
