"""Files of labelled events as people have them, for tests."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from scoring.event_type.fields import Field
from training.event_types.draft import Draft

ROWS = 400
FRAUDS = np.arange(ROWS) % 8 == 0
"""Labels of the usual file."""
LABEL = FRAUDS.astype(int).tolist()
Infer = Callable[..., Draft]
"""Function that infers from a file with these cells in a column `x` and the label `y`."""


def cells(*values: object) -> list[object]:
    """Return ROWS cells that repeat values; the number of values should not divide 8."""
    return [values[i % len(values)] for i in range(ROWS)]


def write_csv(
    path: Path,
    columns: Mapping[str, Sequence[object]],
    *,
    separator: str = ",",
    end: str = "\n",
    quote: str = "",
) -> Path:
    """Write columns as CSV; None is an empty cell."""
    rows = [list(columns), *zip(*columns.values(), strict=True)]
    lines = (
        separator.join("" if cell is None else f"{quote}{cell}{quote}" for cell in row)
        for row in rows
    )
    path.write_bytes((end.join(lines) + end).encode())
    return path


def write_parquet(path: Path, columns: Mapping[str, Any]) -> Path:
    """Write columns as Parquet."""
    pq.write_table(pa.table(dict(columns)), path)
    return path


FILLER = cells(*range(7))


def field(draft: Draft, name: str = "x") -> Field:
    """Return a field of a draft."""
    return next(field for field in draft.event_type.fields if field.name == name)


def comments(draft: Draft, name: str = "x") -> str:
    """Return the comments on a field of a draft as one text."""
    return " ".join(draft.field_comments.get(name, ()))
