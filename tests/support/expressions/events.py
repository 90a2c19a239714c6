"""Events as dictionaries, and the columns that expressions take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from scoring.columns import Column, TextColumn
from scoring.event_type.fields import EventType, Field, Kind

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
    bounds: tuple[float, float] | None = None,
    optional: bool = True,
    **others: Any,
) -> Field:
    """Return a field, optional unless `optional` is false; the other arguments are Field's."""
    low, high = bounds or (None, None)
    return Field(name, kind, minimum=low, maximum=high, optional=optional, **others)


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
