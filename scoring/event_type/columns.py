"""Put validated events into columns."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from scoring.columns import Column, Columns, FloatArray, TextColumn
from scoring.event_type.fields import EventType
from scoring.event_type.timestamps import Timestamp
from scoring.event_type.validation import Event
from scoring.event_type.values import Value


def to_columns(event_type: EventType, events: Sequence[Event]) -> Columns:
    """Return the columns of n events.

    Args:
        event_type: event type by which the events were validated.
        events: n events.

    Returns:
        Column by the name of each field that is not ignored, n rows each.
    """
    return {
        field.name: _column(field.kind, [event.values[field.name] for event in events])
        for field in event_type.fields
        if not field.ignored
    }


def _column(kind: str, values: list[Value | None]) -> Column:
    if kind in ("category", "entity", "text"):
        return _text_column(values)
    if kind == "timestamp":
        return seconds([value.us if isinstance(value, Timestamp) else None for value in values])
    # NumPy makes None NaN.
    return np.array(values, dtype=np.float64)


def seconds(us: Sequence[int | None]) -> FloatArray:
    """Return microseconds as seconds, NaN where missing, float64 (n,)."""
    return np.array(us, dtype=np.float64) / 1e6


def _text_column(values: list[Value | None]) -> TextColumn:
    code_of: dict[Value, int] = {}
    codes = [-1 if value is None else code_of.setdefault(value, len(code_of)) for value in values]
    return TextColumn(np.array(codes, dtype=np.int64), tuple(map(str, code_of)))
