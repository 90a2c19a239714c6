"""Events as dictionaries, and the columns that expressions take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from scoring.columns import Column, TextColumn
from scoring.event_type.fields import EventType, Field, Kind, Role

Value = float | bool | str | None
"""A field's value: a float (a timestamp in seconds), a bool, a text, or None if missing."""
Values = Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class PastEvent:
    """An event with what windows need of it."""

    values: Values
    time_us: int | None
    is_fraud: bool = False
    known_at_us: int | None = None


def a_field(
    name: str,
    kind: Kind,
    *,
    role: Role | None = None,
    entity: str | None = None,
    bounds: tuple[float, float] | None = None,
    values: tuple[str, ...] | None = None,
    optional: bool = True,
    ignored: bool = False,
) -> Field:
    low, high = bounds or (None, None)
    return Field(
        name=name,
        kind=kind,
        role=role,
        entity=entity,
        minimum=low,
        maximum=high,
        values=values,
        optional=optional,
        ignored=ignored,
    )


def columns_of(event_type: EventType, events: Sequence[Values]) -> dict[str, Column]:
    """Return the columns of events."""
    return {
        field.name: _column(field.kind, [event.get(field.name) for event in events])
        for field in event_type.fields
    }


def _column(kind: Kind, values: list[Value]) -> Column:
    if kind in ("category", "entity", "text"):
        codes: dict[str, int] = {}
        indices = [-1 if v is None else codes.setdefault(str(v), len(codes)) for v in values]
        return TextColumn(np.array(indices, np.int64), tuple(codes))
    numbers = [np.nan if value is None else float(value) for value in values]
    return np.array(numbers, np.float64)
