"""Event: a validated event of a tenant's own event type."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from scoring.event_type.fields import EventType, Role
from scoring.event_type.timestamps import Timestamp, parse_timestamp
from scoring.event_type.values import Value


@dataclass(frozen=True, slots=True)
class Event:
    """A validated event.

    Attributes:
        event_type: event type by which it was validated.
        values: value by the name of each field that is not ignored, in the order of the event
            type; None where an optional field is missing.
        time_us: microseconds since 1970 UTC of the field whose role is time; None without one.
        external_id: caller's own id, which is the idempotency key, or None.
        type_id: id of the stored version of the event type; None before it is stored.
    """

    event_type: EventType
    values: Mapping[str, Value | None]
    time_us: int | None
    external_id: str | None = None
    type_id: int | None = None

    @property
    def amount(self) -> float | None:
        """Value of the field whose role is amount; None without one."""
        value = self._of_role("amount")
        return None if value is None else float(value)  # type: ignore[arg-type]

    @property
    def payer(self) -> str | None:
        """Entity that pays; None without a field of that role."""
        value = self._of_role("payer")
        return None if value is None else str(value)

    @property
    def payee(self) -> str | None:
        """Entity that receives; None without a field of that role."""
        value = self._of_role("payee")
        return None if value is None else str(value)

    @property
    def display_time(self) -> str | None:
        """The event's time as it was sent; None without a field of that role."""
        value = self._of_role("time")
        return value.text if isinstance(value, Timestamp) else None

    def document(self) -> dict[str, Any]:
        """Return the values as JSON values, as they are stored; missing ones are left out."""
        return {
            name: value.text if isinstance(value, Timestamp) else value
            for name, value in self.values.items()
            if value is not None
        }

    def _of_role(self, role: Role) -> Value | None:
        name = self.event_type.roles.get(role)
        return None if name is None else self.values[name]


def stored_event(
    event_type: EventType, type_id: int, document: Mapping[str, Any], external_id: str | None
) -> Event:
    """Return the event that `Event.document` stored.

    Args:
        event_type: event type by which it was validated.
        type_id: id of the stored version of the event type.
        document: value by field name.
        external_id: caller's own id, or None.
    """
    values: dict[str, Value | None] = {}
    time_us = None
    for name, field in event_type.kept.items():
        value = document.get(name)
        if value is not None and field.kind == "timestamp":
            value = parse_timestamp(value)
            if value is not None and field.role == "time":
                time_us = value.us
        elif value is not None and field.kind == "number":
            # Postgres keeps 5.0 and 5 apart in jsonb, JSON's writers do not.
            value = float(value)
        values[name] = value
    return Event(event_type, values, time_us, external_id, type_id)
