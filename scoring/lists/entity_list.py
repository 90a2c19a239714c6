"""A list of entities, and its entries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from scoring.event_type.limits import MAX_ENTITY_LENGTH, NAME_RULE, is_event_type_name

ListAction = Literal["approve", "decline"]
MAX_REASON_LENGTH = 500


@dataclass(frozen=True, slots=True)
class EntityList:
    """A named set of entities of one kind.

    Attributes:
        id: number that is unique in the tenant.
        name: name that is unique in the tenant, by which rules refer to it.
        entity: slug of what the entries identify, such as `customer`.
        action: outcome of a payment with an entity of the list; None where only rules read it.
        fields: names of the fields whose values are looked up for `action`; None for every field
            of the entity.

    Raises:
        ValueError: the name or the fields are not valid.
    """

    id: int
    name: str
    entity: str
    action: ListAction | None = None
    fields: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        if not is_event_type_name(self.name):
            raise ValueError(f"the name of a list {NAME_RULE}")
        if self.fields is not None and (self.action is None or not self.fields):
            raise ValueError("fields are those of a list with an action, at least one")

    def covers(self, field: str, entity: str | None) -> bool:
        """Return whether the action applies to the values of a field.

        Args:
            field: name of the field.
            entity: slug of what the field identifies; None if it is no entity field.
        """
        if self.action is None or entity != self.entity:
            return False
        return self.fields is None or field in self.fields


@dataclass(frozen=True, slots=True)
class ListEntry:
    """An entity in a list; it never changes, another one takes its place.

    Attributes:
        id: number that is unique in the tenant.
        list_id: list that it is in.
        value: entity, as events have it.
        reason: sentence on why it is in the list.
        author: name of the API key or of the user.
        expires_ms: milliseconds since 1970 UTC from which on it does not count; None: it stays.

    Raises:
        ValueError: the value or the reason is empty or too long.
    """

    id: int
    list_id: int
    value: str
    reason: str
    author: str
    expires_ms: int | None = None

    def __post_init__(self) -> None:
        if not 1 <= len(self.value) <= MAX_ENTITY_LENGTH:
            raise ValueError(f"an entry has 1 to {MAX_ENTITY_LENGTH} characters")
        if not 1 <= len(self.reason) <= MAX_REASON_LENGTH:
            raise ValueError(f"the reason of an entry has 1 to {MAX_REASON_LENGTH} characters")
