"""Replies of the event type routes, as the OpenAPI document shows them."""

from __future__ import annotations

from datetime import UTC, datetime

from api.event_types.responses import event_type_reply
from api.event_types.schemas import EXAMPLE
from persistence.event_types import StoredEventType
from scoring.event_type.document import from_document

_STORED = StoredEventType(
    1, 1, from_document(EXAMPLE), "admin", datetime(2026, 1, 31, 12, tzinfo=UTC)
)
EVENT_TYPE = event_type_reply(_STORED).model_dump(mode="json", exclude_none=False)
