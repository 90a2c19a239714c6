"""The rows of an uploaded file: its separator, its columns, and its cells as they are written."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from scoring.printable import printable
from scoring.tables.csv_rows import Layout, Row, RowLimits, TableFileError, csv_rows

SOURCE = "The file"
MAX_COLUMNS = 500
MAX_NAME_LENGTH = 256
"""Characters of a column's name."""
MAX_ROW_BYTES = 64_000
"""Bytes of a row: many times what the cells of an event need."""
MAX_BLANK_LINES = 100_001
"""Blank lines of a file: one for each row of the longest file and for its header, as a wrong line
end makes them."""
HEAD_BYTES = 65_536
"""Bytes from which the separator is recognised."""

_SEPARATORS = (",", ";", "\t", "|")
_LIMITS = RowLimits(MAX_COLUMNS, MAX_ROW_BYTES, MAX_BLANK_LINES)
_HEADER_LIMITS = RowLimits(MAX_ROW_BYTES, MAX_ROW_BYTES, MAX_BLANK_LINES)
"""Limits where `_checked` counts the columns, which has a sentence of its own."""
_BOM = b"\xef\xbb\xbf"
_PARQUET = b"PAR1"


@dataclass(frozen=True, slots=True)
class Shape:
    """How a file is written.

    Attributes:
        separator: separator of the cells.
        has_bom: whether it begins with the byte order mark of UTF-8, as spreadsheets write it.
        columns: names of the columns, without spaces around them; at most one is empty.
    """

    separator: str
    has_bom: bool
    columns: tuple[str, ...]


def shape_of(file: BinaryIO, expected: Sequence[str]) -> Shape:
    """Return how a file is written; the file is at its beginning afterwards.

    Args:
        file: file at its beginning.
        expected: names of fields, by which the separator is recognised; where no column has such a
            name, the separator that finds most columns is taken.

    Raises:
        TableFileError: it is not CSV in UTF-8, or its columns cannot be told apart.
    """
    head = file.read(HEAD_BYTES)
    file.seek(0)
    if head.startswith(_PARQUET):
        raise TableFileError(
            f"{SOURCE} is Parquet, which is not read here; the manual has the command that makes "
            "CSV of it."
        )
    if b"\0" in head and not head.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise TableFileError(f"{SOURCE} is not text; save the table as CSV in UTF-8.")
    separator = _separator(head, {plain_name(name) for name in expected})
    columns: tuple[str, ...] = ()

    def plan(names: Sequence[str], _second: Sequence[str]) -> Layout:
        nonlocal columns
        columns = _checked(names)
        return Layout(range(len(names)))

    next(csv_rows(_lines(file), SOURCE, (), plan, separator, _HEADER_LIMITS), None)
    file.seek(0)
    return Shape(separator, head.startswith(_BOM), columns)


def rows_of(file: BinaryIO, separator: str) -> Iterator[Row]:
    """Return the rows of a file from its beginning, with all their cells.

    Args:
        file: file whose shape was accepted, at its beginning.
        separator: separator of the cells.

    Raises:
        TableFileError: a quote is not closed, text follows one, a row has more than MAX_COLUMNS
            cells or MAX_ROW_BYTES, or there are more than MAX_BLANK_LINES.
    """
    lines = _lines(file)
    return csv_rows(lines, SOURCE, (), _all_columns, separator, _LIMITS)


def _all_columns(names: Sequence[str], _second: Sequence[str]) -> Layout:
    return Layout(range(len(names)))


def plain_name(name: str) -> str:
    """Return a name without what people write differently: case, spaces, dashes, underscores."""
    return "".join(c for c in name.lower() if c not in " -_.")


def _lines(file: BinaryIO) -> Iterator[str]:
    # A wrapper that is deleted would close the file.
    text = io.TextIOWrapper(file, "utf-8-sig", "surrogateescape", newline="")
    try:
        # No further than what is refused anyway, so that a file of one line is not held whole.
        while line := text.readline(MAX_ROW_BYTES + 1):
            yield line
    finally:
        if not text.closed:
            text.detach()


def _separator(head: bytes, expected: set[str]) -> str:
    text = head.decode("utf-8-sig", errors="replace")

    def fit(separator: str) -> tuple[int, int]:
        try:
            records = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
            header = next((record for record in records if any(map(str.strip, record))), [])
        except csv.Error:
            return 0, 0
        return len(expected.intersection(map(plain_name, header))), len(header)

    return max(_SEPARATORS, key=fit)


def _checked(names: Sequence[str]) -> tuple[str, ...]:
    """Return the names of the columns.

    Raises:
        TableFileError: they cannot be told apart, or are no text.
    """
    if len(names) > MAX_COLUMNS:
        raise TableFileError(
            f"{SOURCE} has {len(names):,} columns; at most {MAX_COLUMNS} are taken."
        )
    seen: set[str] = set()
    for name in names:
        if any("\ud800" <= c <= "\udfff" for c in name):
            raise TableFileError(
                f"{SOURCE} has a column whose name is not UTF-8 text; save the file as UTF-8."
            )
        if len(name) > MAX_NAME_LENGTH:
            raise TableFileError(
                f"{SOURCE} has a column whose name is longer than {MAX_NAME_LENGTH} characters: "
                f"{printable(name[:40])}…"
            )
        if "\0" in name or not name.isprintable():
            raise TableFileError(
                f"{SOURCE} has a column whose name is not plain text: {printable(name[:40])}. Is "
                "it CSV?"
            )
        if name in seen:
            shown = printable(name) if name else "(one without a name)"
            raise TableFileError(f"{SOURCE} has the column {shown} twice.")
        seen.add(name)
    return tuple(names)
