"""Read a file of a list's entries, CSV or Parquet, row by row."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path

from scoring.lists.entry_rows import COLUMNS
from scoring.printable import printable
from scoring.tables.csv_rows import Layout, Row, TableFileError, lacks, places_by_name
from sentinel.operations import table_files
from sentinel.sentences import shown

VALUE = COLUMNS[0]

_NAME = re.compile(r"[^\W\d]+([ _-][^\W\d]+)*")
"""A name of a column that nobody takes for an entity: words without a digit."""


def read_rows(
    path: Path,
    names_of_values: Collection[str],
    *,
    needs_reason: bool,
    note: Callable[[str], None],
) -> Iterator[Row]:
    """Return the rows of a file; their cells are in the order of COLUMNS.

    A file of one column may lack a header.

    Args:
        path: file whose name ends in `.parquet`; any other one is CSV in UTF-8.
        names_of_values: names, apart from `value`, that the only column of a file may have beyond
            doubt: those of the entity and of its fields.
        needs_reason: whether the file has to have the column `reason`.
        note: function that receives a sentence on what the first line was taken for, where that is
            in doubt.

    Raises:
        TableFileError: it is neither, or lacks a column.
    """
    source = shown(path.name)
    known = {name.casefold() for name in (*names_of_values, VALUE)}

    def plan(names: Sequence[str], first_row: Sequence[str]) -> Layout:
        if needs_reason and COLUMNS[1] not in names:
            raise TableFileError(f"{source} lacks the column reason; give --reason.")
        if len(names) > 1:
            places = places_by_name(source, COLUMNS, names)
            if VALUE not in names:
                raise lacks(source, [VALUE], names)
            return Layout(places)
        (name,) = names
        if name in COLUMNS[1:] or set(name).intersection(";\t|"):
            raise lacks(source, [VALUE], names)
        only = [0, None, None]
        if path.suffix.lower() == ".parquet" or not name or name.casefold() in known:
            return Layout(only)
        if _NAME.fullmatch(name) and not _NAME.fullmatch("".join(first_row[:1]).strip()):
            note(f"Took the first line of {source}, {printable(name)}, for the column's name.")
            return Layout(only)
        note(f"{source} has no header: its first line, {printable(name)}, is a value.")
        return Layout(only, has_header=False)

    return table_files.read_rows(path, COLUMNS, plan)
