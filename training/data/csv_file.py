"""Read a CSV file, plain or gzipped, as text cells; find the line of a row."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO, cast

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from scoring.counted import counted
from training.errors import TrainingError

SEPARATORS = (",", ";", "\t", "|")
"""Separators that are recognised: by the expected columns of the header, else by their number."""
SUFFIXES = (".csv", ".csv.gz", ".tsv", ".tsv.gz")

_HEAD_BYTES = 65_536
_GZIP = b"\x1f\x8b"
_OTHER_CONTENT = {
    b"PAR1": "a Parquet file: give it a name that ends in .parquet",
    b"PK\x03\x04": "a zip archive or an Excel workbook: save the table as CSV",
    b"\xd0\xcf\x11\xe0": "an Excel workbook: save the table as CSV",
    b"BZh": "compressed with bzip2: unpack it, or use gzip",
    b"\xfd7zXZ\x00": "compressed with xz: unpack it, or use gzip",
    b"\x28\xb5\x2f\xfd": "compressed with zstd: unpack it, or use gzip",
    codecs.BOM_UTF16_LE: "text in UTF-16: save it as UTF-8",
    codecs.BOM_UTF16_BE: "text in UTF-16: save it as UTF-8",
}
"""What a file that is not CSV begins with, and what it is."""


@dataclass(frozen=True, slots=True)
class RaggedRow:
    """A row of a CSV file that has more or fewer cells than the header.

    Attributes:
        row: number of the row, counted from 0 below the header.
        columns: number of its cells.
        expected: number of the header's cells.
        text: the row as written.
    """

    row: int
    columns: int
    expected: int
    text: str

    def __str__(self) -> str:
        """Return a sentence about it."""
        hint = " A quote that is not closed can cause it." if self.text.count('"') % 2 else ""
        return (
            f"the row has {counted(self.columns, 'column')}, the header has {self.expected}.{hint}"
        )


@dataclass(frozen=True, slots=True)
class CsvFile:
    """A CSV file whose header has been read.

    Attributes:
        path: path of the file.
        source: name of the file in error messages.
        compressed: whether the content is gzipped, whatever the name.
        separator: separator of the cells.
        header: names of the columns as written.
    """

    path: Path
    source: str
    compressed: bool
    separator: str
    header: tuple[str, ...]

    @property
    def names(self) -> list[str]:
        """The names of the columns without the spaces around them."""
        return [name.strip() for name in self.header]

    def read(self, wanted: Collection[str], left_out: list[RaggedRow] | None = None) -> pa.Table:
        """Read columns as text, without the spaces around each cell.

        Args:
            wanted: names of columns that the header has once.
            left_out: list that gets the rows that are longer or shorter than the header, which the
                table then lacks; None refuses them.

        Raises:
            TrainingError: a row is longer or shorter than the header, or a cell or the name of a
                column is not UTF-8.
        """
        written = {name.strip(): name for name in self.header if name.strip() in wanted}
        table = self._read_cells(list(written.values()), left_out)
        return pa.table({name: self._as_text(name, table[raw]) for name, raw in written.items()})

    def line(self, row: int) -> int | None:
        """Return the line on which a row begins, or None; see `lines`."""
        return self.lines([row]).get(row)

    def lines(self, rows: Collection[int]) -> dict[int, int]:
        """Return the lines on which rows begin, counted from 1 in the file as an editor shows it.

        Args:
            rows: numbers of rows, counted from 0 below the header.

        Returns:
            Line by row, without those that the file cannot be read up to.
        """
        wanted, last = set(rows), max(rows, default=-1)
        found: dict[int, int] = {}
        end, row = 0, -1
        with _open_text(self.path, compressed=self.compressed) as file:
            records = csv.reader(file, delimiter=self.separator)
            try:
                for record in records:
                    begin, end = end + 1, records.line_num
                    # The reader, like Arrow, skips empty lines; it yields them as empty records.
                    if not record:
                        continue
                    if row in wanted:
                        found[row] = begin
                    if row >= last:
                        break
                    row += 1
            except csv.Error:
                pass
        return found

    def place(self, row: int) -> str:
        """Return the row and its line for an error message, such as `row 2 (line 4)`."""
        line = self.line(row)
        return f"row {row + 1}" if line is None else f"row {row + 1} (line {line})"

    def _read_cells(self, raw_names: Sequence[str], left_out: list[RaggedRow] | None) -> pa.Table:
        refused: list[RaggedRow] = []

        def record(row: pyarrow.csv.InvalidRow) -> str:
            ragged = RaggedRow(row.number - 2, row.actual_columns, row.expected_columns, row.text)
            (refused if left_out is None else left_out).append(ragged)
            return "error" if left_out is None else "skip"

        try:
            # Opened by Python: Arrow cannot encode every name.
            with (
                self.path.open("rb") as content,
                pa.input_stream(content, compression="gzip" if self.compressed else None) as file,
            ):
                return pyarrow.csv.read_csv(
                    file,
                    # One thread: Arrow counts rows only then.
                    read_options=pyarrow.csv.ReadOptions(use_threads=False),
                    parse_options=pyarrow.csv.ParseOptions(
                        delimiter=self.separator,
                        newlines_in_values=True,
                        invalid_row_handler=record,
                    ),
                    # Bytes: Arrow's own conversion stops at the first bad cell with an error that
                    # lacks the rule.
                    convert_options=pyarrow.csv.ConvertOptions(
                        include_columns=raw_names,
                        column_types=dict.fromkeys(raw_names, pa.binary()),
                    ),
                )
        except pa.ArrowKeyError as error:
            # Python decoded the header leniently, so Arrow does not find the name.
            raise TrainingError(
                f"{self.source}: the name of a column is not UTF-8 text; save the file as UTF-8."
            ) from error
        except pa.ArrowInvalid as error:
            if self.line(0) is None:
                raise TrainingError(f"{self.source} has no rows.") from error
            if not refused:
                raise
            row = refused[0]
            raise TrainingError(f"{self.source}, {self.place(row.row)}: {row}") from error

    def _as_text(self, name: str, cells: pa.ChunkedArray) -> pa.ChunkedArray:
        try:
            return pc.ascii_trim(cells.cast(pa.string()), " ")
        except pa.ArrowInvalid as error:
            row = next(i for i, cell in enumerate(cells.to_pylist()) if not _is_utf8(cell))
            raise TrainingError(
                f"{self.source}, {self.place(row)}: {name} is not UTF-8 text; save the file as "
                "UTF-8."
            ) from error


def open_csv(path: Path, source: str, expected: Collection[str]) -> CsvFile:
    """Look at the beginning of a file, and read its header.

    Args:
        path: path of the file.
        source: name of the file in error messages.
        expected: names of columns, by which the separator is recognised.

    Raises:
        TrainingError: the file is empty or holds something else than CSV.
    """
    with path.open("rb") as file:
        compressed = file.read(len(_GZIP)) == _GZIP
    with gzip.open(path) if compressed else path.open("rb") as content:
        head = content.read(_HEAD_BYTES)
    for mark, what in _OTHER_CONTENT.items():
        if head.startswith(mark):
            raise TrainingError(f"{source} is {what}.")
    if b"\0" in head:
        raise TrainingError(
            f"{source} is not text: it has a NUL byte at position {head.index(0) + 1:,}. Save the "
            "table as CSV in UTF-8."
        )
    if not head.removeprefix(codecs.BOM_UTF8).strip():
        raise TrainingError(f"{source} is empty.")
    headers = {separator: _header(head, separator) for separator in SEPARATORS}
    names = set(expected)

    def fit(separator: str) -> tuple[int, int]:
        header = headers[separator]
        return len(names.intersection(name.strip() for name in header)), len(header)

    separator = max(SEPARATORS, key=fit)
    return CsvFile(path, source, compressed, separator, headers[separator])


def _header(head: bytes, separator: str) -> tuple[str, ...]:
    text = head.decode("utf-8-sig", errors="replace")
    try:
        records = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
        return next((tuple(record) for record in records if record), ())
    except csv.Error:
        return ()


def _open_text(path: Path, *, compressed: bool) -> TextIO:
    opened = gzip.open if compressed else Path.open
    return cast(TextIO, opened(path, "rt", encoding="utf-8-sig", errors="replace", newline=""))


def _is_utf8(cell: bytes) -> bool:
    try:
        cell.decode()
    except UnicodeDecodeError:
        return False
    return True
