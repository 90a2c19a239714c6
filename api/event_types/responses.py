"""The reply of the event type routes, built from the domain's values."""

from __future__ import annotations

from collections.abc import Sequence

from api.event_types.schemas import ChangeOut, EventTypeReply, FieldDocument
from persistence.event_types import StoredEventType
from scoring.event_type.compatibility import Change
from scoring.event_type.document import field_to_document
from scoring.event_type.json_schema import json_schema
from scoring.transaction import PAYSIM


def event_type_reply(
    stored: StoredEventType | None, changed: Sequence[Change] = ()
) -> EventTypeReply:
    """Return the reply.

    Args:
        stored: event type in force; None where the tenant sends PaySim's transactions.
        changed: changes from the version before.
    """
    event_type = stored.event_type if stored else PAYSIM
    return EventTypeReply(
        name=event_type.name,
        version=stored.version if stored else 0,
        label=event_type.label,
        fields={
            field.name: FieldDocument.model_validate(field_to_document(field))
            for field in event_type.fields
        },
        json_schema=json_schema(event_type),
        actor=stored.actor if stored else None,
        created_at=stored.created_at if stored else None,
        changes=[
            ChangeOut(
                field=change.field,
                what=change.what,
                is_compatible=change.is_compatible,
                sentence=change.sentence,
            )
            for change in changed
        ],
    )
