"""Read a file of labels, CSV or Parquet, row by row."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from scoring.counted import counted
from scoring.errors import CommandError
from sentinel.operations.label_rows import COLUMNS, IDS, NEEDED
from sentinel.sentences import printable, shown

_PARQUET_ROWS = 10_000
_GZIP = "\x1f\udc8b"
"""First bytes of a gzipped file, as `surrogateescape` decodes them."""


class Row(NamedTuple):
    """A row of a file.

    Attributes:
        number: its number, counted from 1 below the header.
        cells: text, or values of Parquet, in the order of COLUMNS; empty or None where missing.
        line: line of the file on which it begins, counted from 1; None in Parquet.
        fault: what is wrong with the row as a whole; None where nothing is.
    """

    number: int
    cells: Sequence[Any]
    line: int | None = None
    fault: str | None = None


class LabelFileError(CommandError):
    """A file of labels cannot be read."""


def read_rows(path: Path) -> Iterator[Row]:
    """Return the rows of a file.

    Args:
        path: file whose name ends in `.parquet`; any other one is CSV in UTF-8 with a header.

    Raises:
        LabelFileError: it is neither, or lacks a column.
    """
    if path.suffix.lower() == ".parquet":
        return _parquet_rows(path)
    return _csv_rows(path)


def _csv_rows(path: Path) -> Iterator[Row]:
    # A cell that is not UTF-8 reaches the row, which is then rejected by itself.
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        reader = csv.reader(file)
        try:
            names = next(reader, [])
            if names and names[0].startswith(_GZIP):
                raise LabelFileError(f"{shown(path.name)} is compressed; decompress it first.")
            header = [name.strip() for name in names]
            if not any(header):
                raise LabelFileError(f"{shown(path.name)} is empty.")
            places = _places(header, shown(path.name))
            width = len(header)
            number = 0
            end = reader.line_num
            for cells in reader:
                begin, end = end + 1, reader.line_num
                if not cells:
                    continue
                number += 1
                fault = None
                if len(cells) != width:
                    fault = f"has {counted(len(cells), 'column')}, the header has {width}"
                    cells = (cells + [""] * width)[:width]
                cells.append("")
                yield Row(number, [cells[place] for place in places], begin, fault)
        except csv.Error as error:
            raise LabelFileError(f"{shown(path.name)}, line {reader.line_num}: {error}.") from error


def _parquet_rows(path: Path) -> Iterator[Row]:
    # Imported here: only the training extra has Arrow.
    import pyarrow as pa
    import pyarrow.parquet

    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            _places(file.schema_arrow.names, shown(path.name))
            columns = [name for name in COLUMNS if name in file.schema_arrow.names]
            number = 0
            for batch in file.iter_batches(_PARQUET_ROWS, columns=columns):
                cells = [_cells(batch, name, columns) for name in COLUMNS]
                for row in zip(*cells, strict=True):
                    number += 1
                    yield Row(number, row)
    except pa.ArrowException as error:
        reason = str(error).strip().splitlines()[0].rstrip(".")
        raise LabelFileError(f"{shown(path.name)} cannot be read: {printable(reason)}.") from error


def _cells(batch: Any, name: str, columns: Sequence[str]) -> list[Any]:  # noqa: ANN401 - Arrow's
    import pyarrow as pa

    if name not in columns:
        return [None] * batch.num_rows
    column = batch.column(name)
    if pa.types.is_timestamp(column.type):
        # Nanoseconds do not fit Python's times, nor Postgres's.
        column = column.cast(pa.timestamp("us", column.type.tz), safe=False)
    return list(column.to_pylist())


def _places(header: Sequence[str], source: str) -> list[int]:
    """Return the place of each of COLUMNS in a row with an empty cell at its end."""
    twice = [name for name in COLUMNS if header.count(name) > 1]
    if twice:
        raise LabelFileError(f"{source} has the column {twice[0]} twice.")
    missing = [name for name in NEEDED if name not in header]
    if not any(name in header for name in IDS):
        missing.insert(0, " or ".join(IDS))
    if missing:
        noun = "column" if len(missing) == 1 else "columns"
        names = ", ".join(map(printable, header))
        is_separated = len(header) > 1 or not set(";\t|").intersection(header[0])
        advice = "" if is_separated else " Separate the cells by commas."
        raise LabelFileError(
            f"{source} lacks the {noun} {', '.join(missing)}; its columns are {names}.{advice}"
        )
    return [header.index(name) if name in header else len(header) for name in COLUMNS]
