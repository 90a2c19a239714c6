"""Columns of the values of validated events."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from scoring.columns import Column, FloatArray, TextColumn
from scoring.event_type.fields import Kind
from scoring.event_type.timestamps import Timestamp
from scoring.event_type.values import Value


def column_of(kind: Kind, values: Sequence[Value | None]) -> Column:
    """Return the column of the values of one field.

    Args:
        kind: kind of the field.
        values: n values; None where missing.
    """
    if kind in ("category", "entity", "text"):
        return _text_column(values)
    if kind == "timestamp":
        return seconds([value.us if isinstance(value, Timestamp) else None for value in values])
    # NumPy makes None NaN.
    return np.array(values, dtype=np.float64)


def seconds(us: Sequence[int | None]) -> FloatArray:
    """Return microseconds as seconds, NaN where missing, float64 (n,)."""
    return np.array(us, dtype=np.float64) / 1e6


def _text_column(values: Sequence[Value | None]) -> TextColumn:
    code_of: dict[Value, int] = {}
    codes = [-1 if value is None else code_of.setdefault(value, len(code_of)) for value in values]
    return TextColumn(np.array(codes, dtype=np.int64), tuple(map(str, code_of)))
