"""Open a CSV or Parquet file of events as a table, whatever its columns are."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet

from scoring.printable import printable
from training.data import columns as arrow_columns
from training.data.csv_file import CsvFile, RaggedRow, open_csv
from training.data.table_file import is_parquet, require_columns
from training.errors import TrainingError


@dataclass(frozen=True, slots=True)
class EventTable:
    """A file of events that has been read.

    Attributes:
        source: name of the file in messages.
        names: names of all columns of the file in their order; the name of an index is empty.
        table: columns that were read: text from CSV, any type from Parquet.
        place: function that names a row, counted from 0, in a message.
        csv: the file where it is CSV; None for Parquet.
    """

    source: str
    names: tuple[str, ...]
    table: pa.Table
    place: Callable[[int], str]
    csv: CsvFile | None = None


def read_table(
    path: Path,
    source: str,
    known: Collection[str],
    needed: Sequence[str],
    wanted: Callable[[str], bool],
    left_out: list[RaggedRow] | None = None,
) -> EventTable:
    """Read columns of a file.

    Args:
        path: path of the file.
        source: name of the file in messages.
        known: names of columns that the file should have, by which the separator of CSV is
            recognised.
        needed: names of columns that it must have.
        wanted: function that tells by its name whether a column is read; those without a name are
            not.
        left_out: list that gets the rows of CSV that are longer or shorter than the header; None
            refuses them.

    Raises:
        TrainingError: the file cannot be read, lacks a column, has no rows, or a wanted column more
            than once.
    """
    if is_parquet(path):
        # Opened by Python: Arrow cannot encode every name.
        with path.open("rb") as content, pyarrow.parquet.ParquetFile(content) as file:
            written = file.schema_arrow.names
            names = tuple("" if name.startswith("__index_") else name for name in written)
            require_columns(source, names, needed)
            chosen = _chosen(source, names, wanted)
            table = file.read(columns=chosen)
        csv, place = None, _row
    else:
        csv = open_csv(path, source, known)
        names = tuple(csv.names)
        require_columns(source, names, needed)
        table = csv.read(_chosen(source, names, wanted), left_out)
        place = csv.place
    if table.num_rows == 0 and not left_out:
        raise TrainingError(f"{source} has no rows.")
    columns = {name: arrow_columns.plain(table[name]) for name in table.column_names}
    return EventTable(source, names, pa.table(columns), place, csv)


def _chosen(source: str, names: Sequence[str], wanted: Callable[[str], bool]) -> list[str]:
    chosen = [name for name in names if name and wanted(name)]
    twice = [name for name in dict.fromkeys(chosen) if chosen.count(name) > 1]
    if twice:
        raise TrainingError(f"{source} has the column {printable(twice[0])} more than once.")
    return chosen


def _row(row: int) -> str:
    return f"row {row + 1}"
