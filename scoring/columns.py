"""Columns: the fields of n events, as expressions and windows read them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class TextColumn:
    """Values of a category, entity or text field.

    Attributes:
        codes: index in `values` of each event's value, -1 where missing, int64, (n,).
        values: distinct values; their order has no meaning.
    """

    codes: NDArray[np.int64]
    values: tuple[str, ...]


Column = FloatArray | TextColumn
"""Text as codes; else float64 (n,), NaN where missing. A boolean is 0 or 1; a timestamp is in
seconds since 1970 UTC."""
Columns = Mapping[str, Column]
"""Column of each field, by the field's name."""
