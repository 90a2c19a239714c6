"""Schema: what an expression may name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from scoring.event_type.fields import EventType, Field, Kind
from scoring.expressions.bounds import FINITE, Bounds
from scoring.expressions.nodes import ValueKind

Kinds = EventType | Mapping[str, Kind]
"""An event type, or just the kind of each field."""
Categories = Mapping[str, tuple[str, ...]]
"""Values of open categories by field name, in the order of their codes."""
NO_CATEGORIES: Categories = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class ScoredNames:
    """What a rule's condition may name beside the fields, with `score`.

    Attributes:
        features: kind of each feature of the model version, `number` or `boolean`, by name.
        lists: slug of what a list's entries identify, such as `customer`, by the list's name.
    """

    features: Mapping[str, ValueKind]
    lists: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Schema:
    """The fields that an expression is checked against.

    Attributes:
        fields: field by name.
        label: name of the label, or None.
        categories: learned values of open categories.
        has_time: whether events have a time, which windows need.
        scored: names that a rule's condition has beside the fields; None for a feature.
    """

    fields: Mapping[str, Field]
    label: str | None
    categories: Categories
    has_time: bool
    scored: ScoredNames | None = None

    @classmethod
    def of(
        cls,
        kinds: Kinds,
        categories: Categories = NO_CATEGORIES,
        scored: ScoredNames | None = None,
    ) -> Schema:
        """Return the schema of an event type, or of fields of which only the kinds are known."""
        if isinstance(kinds, EventType):
            fields = {field.name: field for field in kinds.fields}
            has_time = any(field.role == "time" for field in kinds.fields)
            return cls(fields, kinds.label, categories, has_time, scored)
        fields = {name: Field(name, kind, optional=True) for name, kind in kinds.items()}
        return cls(fields, None, categories, True, scored)

    def values_of(self, name: str) -> tuple[str, ...] | None:
        """Return a category's values in the order of their codes; None if they are not known."""
        closed = self.fields[name].values
        return closed if closed is not None else self.categories.get(name)

    def is_required(self, name: str) -> bool:
        """Return whether every event has a field's value."""
        return not self.fields[name].optional

    def bounds(self, name: str) -> Bounds:
        """Return the bounds of a number field's values."""
        field = self.fields[name]
        low = FINITE.low if field.minimum is None else field.minimum
        return Bounds(low, FINITE.high if field.maximum is None else field.maximum)
