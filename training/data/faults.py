"""Report the first cell of a table that is not valid."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping

import numpy as np
import pyarrow as pa

from scoring.columns import BoolArray
from training.errors import TrainingError

# Also the apostrophes and the spaces, narrow and not, that separate thousands.
_SEPARATED = re.compile(r"[+-]?\d[\d.]*[,_'\u2019\s][\d.,_'\u2019\s]*")


def refuse_first_fault(
    table: pa.Table,
    source: str,
    place: Callable[[int], str],
    faults: Mapping[str, tuple[str, BoolArray]],
    names: Collection[str],
) -> None:
    """Refuse a table whose cells are not all valid, by the first that is not.

    Args:
        table: table of the columns in the order in which they are named.
        source: name of the source.
        place: function that names a row, counted from 0.
        faults: by column, what its cells must be, and which are not, bool (n,).
        names: columns that hold text, not numbers.

    Raises:
        TrainingError: some cell is not valid.
    """
    first = {name: int(np.argmax(bad)) for name, (_, bad) in faults.items() if bad.any()}
    if not first:
        return
    field = min(first, key=lambda name: (first[name], table.column_names.index(name)))
    row = first[field]
    count = int(np.count_nonzero(np.logical_or.reduce([bad for _, bad in faults.values()])))
    others = "" if count == 1 else f" {count:,} rows are not valid."
    fault = cell_fault(table, row, field, faults[field][0], names)
    raise TrainingError(f"{source}, {place(row)}: {fault}{others}")


def cell_fault(table: pa.Table, row: int, field: str, rule: str, names: Collection[str]) -> str:
    """Return a sentence about a cell that is not valid.

    Args:
        table: table of the columns.
        row: row of the cell, counted from 0.
        field: column of the cell.
        rule: what the cell must be, as a phrase.
        names: columns that hold text, not numbers.
    """
    value = table[field][row].as_py()
    shown = "empty" if value in (None, "") else repr(value)
    if len(shown) > 60:
        shown = shown[:57] + "..."
    hint = ""
    if isinstance(value, str) and field not in names and _SEPARATED.fullmatch(value):
        hint = " Write numbers with a decimal point and without separators, such as 1234.5."
    return f"{field} must be {rule}, not {shown}.{hint}"
