"""The event type whose names the pages of a tenant show."""

from __future__ import annotations

from api.dependencies import ApiDependencies
from persistence.event_types import StoredEventType, current_event_type
from scoring.event_type.fields import EventType
from scoring.transaction import PAYSIM


async def event_type_of(dependencies: ApiDependencies, tenant_id: int) -> EventType:
    """Return the event type in force of a tenant."""
    return in_force(await dependencies.run(current_event_type, tenant_id))


def in_force(stored: StoredEventType | None) -> EventType:
    """Return the event type in force: the stored one, or without one the built-in."""
    return stored.event_type if stored else PAYSIM
