"""Read a file of labels, CSV or Parquet, row by row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from scoring.tables.csv_rows import Layout, Row, lacks, places_by_name
from sentinel.operations import table_files
from sentinel.operations.label_rows import COLUMNS, IDS, NEEDED
from sentinel.sentences import shown


def read_rows(path: Path) -> Iterator[Row]:
    """Return the rows of a file; their cells are in the order of COLUMNS.

    Args:
        path: file whose name ends in `.parquet`; any other one is CSV in UTF-8 with a header.

    Raises:
        TableFileError: it is neither, or lacks a column.
    """
    source = shown(path.name)

    def plan(names: Sequence[str], _first_row: Sequence[str]) -> Layout:
        places = places_by_name(source, COLUMNS, names)
        missing = [name for name in NEEDED if name not in names]
        if not any(name in names for name in IDS):
            missing.insert(0, " or ".join(IDS))
        if missing:
            raise lacks(source, missing, names)
        return Layout(places)

    return table_files.read_rows(path, COLUMNS, plan)
