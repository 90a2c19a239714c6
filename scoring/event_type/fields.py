"""Event type and field: what a tenant's events consist of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["number", "integer", "boolean", "category", "timestamp", "entity", "text"]
Role = Literal["time", "amount", "payer", "payee", "label"]


@dataclass(frozen=True, slots=True)
class Field:
    """One field of an event.

    Attributes:
        name: key in an event's body and column in files.
        kind: kind of its values.
        role: meaning to the service, or None.
        entity: kind of entity, such as `customer`, that an entity field names; else None.
        minimum: smallest value of a number, or None.
        maximum: largest value of a number, or None.
        values: values of a closed category in their order; None for an open one.
        optional: whether an event may lack it.
        ignored: whether it is accepted and dropped.
    """

    name: str
    kind: Kind
    role: Role | None = None
    entity: str | None = None
    minimum: float | None = None
    maximum: float | None = None
    values: tuple[str, ...] | None = None
    optional: bool = False
    ignored: bool = False


@dataclass(frozen=True, slots=True)
class EventType:
    """A tenant's schema.

    Attributes:
        name: name of the event type.
        label: column of the label in files, or None; it is never sent with an event.
        fields: fields of an event.
    """

    name: str
    label: str | None
    fields: tuple[Field, ...]
