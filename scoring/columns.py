"""Columns: n events by field, the input of expressions and of windows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class TextColumn:
    """Values of a category, entity or text field of n events.

    Attributes:
        codes: indices into `values`, int64 (n,); -1 where missing.
        values: distinct values; their order has no meaning.
    """

    codes: NDArray[np.int64]
    values: tuple[str, ...]


Column = FloatArray | TextColumn
"""number, integer: NaN where missing. boolean: 0.0, 1.0, or NaN where missing. timestamp: seconds
since 1970 UTC, NaN where missing. category, entity, text: a TextColumn."""
Columns = Mapping[str, Column]
"""Column by field name; all of one length."""
