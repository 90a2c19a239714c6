"""Read the rows of CSV one by one."""

from __future__ import annotations

import codecs
import csv
from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import chain
from typing import Any, NamedTuple

from scoring.counted import counted
from scoring.errors import CommandError
from scoring.printable import printable

SEPARATORS = (",", ";", "\t")
"""Separators of cells; the one that finds most of the expected columns, else the first."""

_OTHER_CONTENT = {
    b"\x1f\x8b": "compressed; decompress it first",
    b"PAR1": "a Parquet file; give it a name that ends in .parquet",
    b"PK\x03\x04": "a zip archive or an Excel workbook; save the table as CSV",
    b"\xd0\xcf\x11\xe0": "an Excel workbook; save the table as CSV",
    codecs.BOM_UTF16_LE: "text in UTF-16; save it as UTF-8",
    codecs.BOM_UTF16_BE: "text in UTF-16; save it as UTF-8",
}
"""What a file that is not CSV begins with, and what it is."""


class Row(NamedTuple):
    """A row of a file.

    Attributes:
        number: its number, counted from 1 below the header.
        cells: text, or values of Parquet, in the order of the layout's places; empty or None where
            missing.
        line: line of the file on which it begins, counted from 1; None in Parquet.
        fault: what is wrong with the row as a whole; None where nothing is.
        extra: cells of a row that is longer than the header, after those that the header names.
    """

    number: int
    cells: Sequence[Any]
    line: int | None = None
    fault: str | None = None
    extra: Sequence[str] = ()


class Layout(NamedTuple):
    """Where the cells of a row are.

    Attributes:
        places: place of each column among those of the file; None where the file lacks it.
        has_header: whether the first line of CSV has the names of the columns.
    """

    places: Sequence[int | None]
    has_header: bool = True


class RowLimits(NamedTuple):
    """What a row may have at most, so that no row takes much memory, and no file much time.

    Attributes:
        cells: cells of a row.
        size: bytes of a row, with the lines that it spans; a line is read no further than this.
        blank_lines: lines of the file that are no row. They are skipped; 20 MB take 30 s.
    """

    cells: int
    size: int
    blank_lines: int


Plan = Callable[[Sequence[str], Sequence[str]], Layout]
"""Returns the layout by the names of the columns and the first row below them, which is empty in
Parquet and at the end of the file."""


class TableFileError(CommandError):
    """A file cannot be read as a table, or lacks a column."""


def csv_rows(
    lines: Iterator[str],
    source: str,
    expected: Collection[str],
    plan: Plan,
    separator: str | None = None,
    limits: RowLimits | None = None,
) -> Iterator[Row]:
    """Return the rows of CSV.

    Args:
        lines: lines of text with their ends; a byte that is not UTF-8 is a lone surrogate, so that
            its row is rejected by itself.
        source: name of what holds them, for errors.
        expected: names of columns, by which the separator is recognised.
        plan: function that finds the columns.
        separator: separator of the cells; None recognises it.
        limits: what a row may have at most; None: anything.

    Raises:
        TableFileError: it is no CSV, a row goes beyond the limits, or `plan` refuses it.
    """
    bounded = _Bounded(lines, source, limits) if limits else None
    lines = bounded or lines
    blank, first_line = _first_line(lines)
    for mark, what in _OTHER_CONTENT.items():
        if first_line.startswith(mark.decode(errors="surrogateescape")):
            raise TableFileError(f"{source} is {what}.")
    if not first_line:
        raise TableFileError(f"{source} is empty.")
    if separator is None:
        separator = _separator(first_line, set(expected))
    # Strict: else a quote that is not closed makes one cell of all the lines below it.
    reader = csv.reader(chain([first_line], lines), delimiter=separator, strict=True)
    try:
        records = _numbered(reader, blank, bounded)
        header = next(records)
        names = [name.strip() for name in header[1]]
        if not any(names):
            raise TableFileError(f"{source} is empty.")
        second = next(records, None)
        layout = plan(names, second[1] if second else [])
        below = chain([] if second is None else [second], records)
        rows = below if layout.has_header else chain([header], below)
        for number, (line, cells) in enumerate(rows, 1):
            yield _csv_row(number, line, cells, len(names), layout.places)
    except csv.Error as error:
        line = blank + reader.line_num
        raise TableFileError(f"{source}, line {line}: {error}.") from error


def lacks(source: str, missing: Sequence[str], names: Sequence[str]) -> TableFileError:
    """Return the error of a file that lacks columns.

    Args:
        source: name of the file.
        missing: names of the columns that it lacks.
        names: names of the columns that it has.
    """
    noun = "column" if len(missing) == 1 else "columns"
    is_separated = len(names) > 1 or "|" not in names[0]
    advice = "" if is_separated else " Separate the cells by commas."
    return TableFileError(
        f"{source} lacks the {noun} {', '.join(missing)}; its columns are "
        f"{', '.join(map(_column, names))}.{advice}"
    )


def _column(name: str) -> str:
    return printable(name) if name.strip() else "(one without a name)"


def places_by_name(
    source: str, columns: Sequence[str], names: Sequence[str]
) -> Sequence[int | None]:
    """Return the place of each column, None where the file lacks it.

    Args:
        source: name of the file.
        columns: names of the columns that are looked for.
        names: names of the columns that the file has.

    Raises:
        TableFileError: the file has one of them twice.
    """
    for name in columns:
        if list(names).count(name) > 1:
            raise TableFileError(f"{source} has the column {name} twice.")
    return [names.index(name) if name in names else None for name in columns]


def _first_line(lines: Iterator[str]) -> tuple[int, str]:
    """Return the number of the blank lines before the first other one, and that; empty: none."""
    blank = 0
    for line in lines:
        if line.strip():
            return blank, line
        blank += 1
    return blank, ""


def _separator(line: str, expected: set[str]) -> str:
    """Return the separator by which the line with the names of the columns is read."""

    def found(separator: str) -> int:
        try:
            names = next(csv.reader([line], delimiter=separator), [])
        except csv.Error:
            return 0
        return len(expected.intersection(name.strip() for name in names))

    return max(SEPARATORS, key=found)


class _Bounded:
    """Lines of which no row may have more than the limits."""

    def __init__(self, lines: Iterator[str], source: str, limits: RowLimits) -> None:
        self._lines = lines
        self._source = source
        self._limits = limits
        self._line = 0
        self._begin = 1
        self._size = 0
        self._blank_lines = 0
        self._is_in_table = False  # blank lines before the header are no rows

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = next(self._lines)
        self._line += 1
        is_short = line.isascii() or len(line) > self._limits.size
        self._size += len(line) if is_short else len(line.encode(errors="surrogateescape"))
        if self._size > self._limits.size:
            raise self._refused(f"has more than {self._limits.size:,} bytes")
        if not self._is_in_table:
            self._is_in_table = bool(line.strip())
            self._begin = self._line + (0 if self._is_in_table else 1)
            self._size = self._size if self._is_in_table else 0
            if not self._is_in_table:
                self._count_blank()
        return line

    def end_row(self, cells: int) -> None:
        """Check the number of the cells of a row, whose last line was the newest one; 0: no row."""
        if not cells:
            self._count_blank()
        if cells > self._limits.cells:
            raise self._refused(f"has {cells:,} cells; at most {self._limits.cells} are taken")
        self._begin = self._line + 1
        self._size = 0

    def _count_blank(self) -> None:
        self._blank_lines += 1
        if self._blank_lines > self._limits.blank_lines:
            raise TableFileError(
                f"{self._source} has more than {self._limits.blank_lines:,} blank lines; "
                "remove them."
            )

    def _refused(self, what: str) -> TableFileError:
        return TableFileError(f"{self._source}, line {self._begin}: the row {what}.")


def _numbered(
    reader: Any,  # noqa: ANN401 - csv's
    blank: int,
    bounded: _Bounded | None,
) -> Iterator[tuple[int, list[str]]]:
    """Yield the records that are not empty, with the line on which each begins."""
    end = 0
    for cells in reader:
        begin, end = end + 1, reader.line_num
        if bounded:
            bounded.end_row(len(cells))
        if cells:
            yield blank + begin, cells


def _csv_row(
    number: int, line: int, cells: list[str], width: int, places: Sequence[int | None]
) -> Row:
    fault = None
    extra = cells[width:]
    if len(cells) != width:
        fault = f"has {counted(len(cells), 'column')}, the header has {width}"
        cells = (cells + [""] * width)[:width]
    placed = ["" if place is None else cells[place] for place in places]
    return Row(number, placed, line, fault, extra)
