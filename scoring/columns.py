"""n events as columns: the input of expressions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class TextColumn:
    """A category, entity or text field of n events.

    Attributes:
        codes: index into `values` of each event, -1 where missing, int64 (n,).
        values: distinct values by code; their order has no meaning.
    """

    codes: NDArray[np.int64]
    values: tuple[str, ...]


Column = FloatArray | TextColumn
"""A number, integer, boolean (0.0 and 1.0) or timestamp (seconds since 1970 UTC) is float64 (n,),
NaN where missing."""

Columns = Mapping[str, Column]
"""Columns by field name."""
