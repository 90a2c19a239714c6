"""An event type and its fields."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["number", "integer", "boolean", "category", "timestamp", "entity", "text"]
Role = Literal["time", "amount", "payer", "payee", "label"]


@dataclass(frozen=True, slots=True)
class Field:
    """A field of an event.

    Attributes:
        name: name in requests and files.
        kind: kind of the values.
        role: what the field is to every event type, or None.
        entity: slug of what an entity field identifies, such as `customer`; None for other kinds.
        minimum: smallest value of a number or an integer, or None.
        maximum: largest value of a number or an integer, or None.
        values: values of a closed category in the order of their codes; None for an open one.
        optional: whether an event may lack the field.
        ignored: whether the field is accepted and dropped.
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
    """The schema of what a tenant sends.

    Attributes:
        name: name that is unique in the tenant.
        label: column of files that has the label, which is never sent with an event; or None.
        fields: fields in the order of the document.
        kept: fields that are not ignored, by name.
        roles: name of the field that has each role.
    """

    name: str
    label: str | None
    fields: tuple[Field, ...]
    kept: Mapping[str, Field] = field(init=False, compare=False, repr=False)
    roles: Mapping[Role, str] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        kept = {one.name: one for one in self.fields if not one.ignored}
        object.__setattr__(self, "kept", kept)
        roles = {one.role: one.name for one in kept.values() if one.role}
        object.__setattr__(self, "roles", roles)
