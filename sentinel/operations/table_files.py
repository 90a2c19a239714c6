"""Read the rows of a table in a file, CSV or Parquet, one by one."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from scoring.printable import printable
from scoring.tables.csv_rows import Plan, Row, TableFileError, csv_rows
from sentinel.sentences import shown

_PARQUET_ROWS = 10_000


def read_rows(path: Path, expected: Collection[str], plan: Plan) -> Iterator[Row]:
    """Return the rows of a file.

    Args:
        path: file whose name ends in `.parquet`; any other one is CSV in UTF-8.
        expected: names of columns, by which the separator of CSV is recognised.
        plan: function that finds the columns.

    Raises:
        TableFileError: it is neither, or `plan` refuses it.
    """
    if path.suffix.lower() == ".parquet":
        return _parquet_rows(path, plan)
    return _csv_rows(path, expected, plan)


def _csv_rows(path: Path, expected: Collection[str], plan: Plan) -> Iterator[Row]:
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        yield from csv_rows(file, shown(path.name), expected, plan)


def _parquet_rows(path: Path, plan: Plan) -> Iterator[Row]:
    # Imported here: only the training extra has Arrow.
    import pyarrow as pa
    import pyarrow.parquet

    source = shown(path.name)
    try:
        # Opened by Python: Arrow cannot encode every name.
        with path.open("rb") as content, pyarrow.parquet.ParquetFile(content) as file:
            names = list(file.schema_arrow.names)
            if not names:
                raise TableFileError(f"{source} is empty.")
            places = plan(names, []).places
            wanted = [names[place] for place in places if place is not None]
            number = 0
            for batch in file.iter_batches(_PARQUET_ROWS, columns=wanted):
                cells = [_cells(batch, None if p is None else names[p]) for p in places]
                for row in zip(*cells, strict=True):
                    number += 1
                    yield Row(number, row)
    except pa.ArrowException as error:
        reason = str(error).strip().splitlines()[0].rstrip(".")
        raise TableFileError(f"{source} cannot be read: {printable(reason)}.") from error


def _cells(batch: Any, name: str | None) -> list[Any]:  # noqa: ANN401 - Arrow's
    import pyarrow as pa

    if name is None:
        return [None] * batch.num_rows
    column = batch.column(name)
    if pa.types.is_timestamp(column.type):
        # Nanoseconds do not fit Python's times, nor Postgres's.
        column = column.cast(pa.timestamp("us", column.type.tz), safe=False)
    return list(column.to_pylist())
