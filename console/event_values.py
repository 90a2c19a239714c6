"""The values of an event as pages show them; every name comes from its event type."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from console.formats import MISSING, Formats
from scoring.event import AnyEvent
from scoring.event_type.fields import Field


@dataclass(frozen=True, slots=True)
class ShownValue:
    """One field of an event.

    Attributes:
        field: definition in the event type.
        text: value as a person reads it.
        entity_path: address of the entity's page; None where the value is no entity.
    """

    field: Field
    text: str
    entity_path: str | None = None


def shown_values(event: AnyEvent, formats: Formats) -> list[ShownValue]:
    """Return the values of an event that are not ignored, in the order of its event type."""
    document = event.document()
    return [
        _shown(field, document.get(field.name), formats) for field in event.event_type.kept.values()
    ]


def shown_entities(event: AnyEvent, formats: Formats) -> list[ShownValue]:
    """Return the entities of an event: first who pays, then who receives, then the others."""
    document = event.document()
    fields = [one for one in event.event_type.kept.values() if one.entity is not None]
    order = {"payer": 0, "payee": 1}
    fields.sort(key=lambda one: order.get(one.role or "", len(order)))
    shown = (_shown(one, document.get(one.name), formats) for one in fields)
    return [value for value in shown if value.entity_path is not None]


def entity_path(entity: str, key: str) -> str:
    """Return the address of an entity's page."""
    return f"/console/entities/{quote(entity, safe='')}/{quote(key, safe='')}"


def _shown(field: Field, value: object, formats: Formats) -> ShownValue:
    if value is None:
        return ShownValue(field, MISSING)
    if field.kind == "entity" and field.entity is not None:
        return ShownValue(field, str(value), entity_path(field.entity, str(value)))
    if field.role == "amount" and isinstance(value, int | float):
        return ShownValue(field, formats.money(float(value)))
    if field.kind in ("number", "integer") and isinstance(value, int | float):
        return ShownValue(field, formats.number(float(value)))
    return ShownValue(field, str(value))
