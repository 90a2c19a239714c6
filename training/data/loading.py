"""Read labelled transactions from CSV or Parquet in the PaySim schema, or from an Arrow table.

What a file may look like is in docs/data.md.

The bounds are those of `scoring.transaction.Transaction`, checked a column at a time, so that no
model is trained on a transaction that the service would refuse.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet

from scoring.columns import BoolArray, Column, Columns, FloatArray, TextColumn
from scoring.transaction import (
    ACCOUNT_PATTERN,
    MAX_ACCOUNT_LENGTH,
    MAX_AMOUNT,
    MAX_BALANCE,
    MAX_STEP,
    PAYSIM,
    TRANSACTION_TYPES,
    WIRE_NAMES,
)
from training.data import columns as arrow_columns
from training.data.csv_file import open_csv
from training.data.faults import refuse_first_fault
from training.data.labelled_events import LabelledEvents, fingerprint, taken
from training.data.table_file import (
    ignored_columns,
    is_parquet,
    readable,
    require_columns,
)
from training.errors import TrainingError
from training.progress import Reporter

LABEL = "isFraud"
COLUMNS = (*WIRE_NAMES.values(), LABEL)
"""Columns that are read. PaySim's other columns describe the state after the decision."""

_NUMBERS: dict[str, tuple[str, Callable[[FloatArray], BoolArray]]] = {
    "step": (
        f"a whole number from 0 to {MAX_STEP}",
        lambda v: (v >= 0) & (v <= MAX_STEP) & (v == np.floor(v)),
    ),
    "amount": (
        f"a finite number from 0 to {MAX_AMOUNT:.0f}",
        lambda v: (v >= 0) & (v <= MAX_AMOUNT),
    ),
    WIRE_NAMES["oldbalance_org"]: (
        f"a finite number within ±{MAX_BALANCE:.0f}",
        lambda v: np.abs(v) <= MAX_BALANCE,
    ),
    WIRE_NAMES["oldbalance_dest"]: (
        f"a finite number within ±{MAX_BALANCE:.0f}",
        lambda v: np.abs(v) <= MAX_BALANCE,
    ),
    LABEL: ("0 or 1, or true or false", lambda v: (v == 0) | (v == 1)),
}
_ACCOUNTS = (WIRE_NAMES["name_orig"], WIRE_NAMES["name_dest"])
_TEXT = ("type", *_ACCOUNTS)
_ACCOUNT = f"1 to {MAX_ACCOUNT_LENGTH} printable ASCII characters without spaces"


def check(path: Path, *, known: Sequence[str] = COLUMNS, needed: Sequence[str] = COLUMNS) -> None:
    """Check that a file can be opened and has the columns; its rows are not read.

    Args:
        path: see `read`.
        known: names of columns, by which the separator of a CSV file is recognised.
        needed: names of the columns that it has to have.

    Raises:
        TrainingError: the file cannot be opened, or lacks a column.
    """
    with readable(path) as source:
        if is_parquet(path):
            with _open_parquet(path) as file:
                names = file.schema_arrow.names
        else:
            names = open_csv(path, source, known).names
        require_columns(source, names, needed)


def read(path: Path) -> LabelledEvents:
    """Read a file of transactions.

    Args:
        path: file with at least COLUMNS, whose name ends in `.parquet` or one of
            `csv_file.SUFFIXES`.

    Raises:
        TrainingError: the file cannot be read, lacks a column, or holds a row that the service
            would refuse; the message names the column, or the row and the field.
    """
    with readable(path) as source:
        return _read_parquet(path, source) if is_parquet(path) else _read_csv(path, source)


def note_ignored(data: LabelledEvents, reporter: Reporter) -> None:
    """Report the columns that were not read, since somebody may think that they count."""
    if data.ignored:
        reporter.note(f"Ignored columns of {data.source}: {', '.join(data.ignored)}.")


def from_table(
    table: pa.Table, source: str, *, place: Callable[[int], str] | None = None
) -> LabelledEvents:
    """Check a table of transactions and put it in time order.

    Args:
        table: table with at least COLUMNS; numbers as numbers or as text.
        source: name of the source in error messages.
        place: function that names a row, counted from 0, in an error message; None: `row 1`.

    Raises:
        TrainingError: see `read`.
    """
    require_columns(source, table.column_names, COLUMNS)
    if table.num_rows == 0:
        raise TrainingError(f"{source} has no rows.")
    table = pa.table({name: _usable(source, name, table[name]) for name in COLUMNS})
    values, faults = {}, {}
    for name, (rule, is_good) in _NUMBERS.items():
        values[name] = arrow_columns.to_numbers(table[name])
        faults[name] = rule, ~is_good(values[name])
    kinds = pc.index_in(
        arrow_columns.to_text(table["type"]),
        value_set=pa.array(TRANSACTION_TYPES, pa.large_string()),
    )
    faults["type"] = f"one of {', '.join(TRANSACTION_TYPES)}", _as_bool(pc.is_null(kinds))
    for name in _ACCOUNTS:
        matches = pc.match_substring_regex(arrow_columns.to_text(table[name]), ACCOUNT_PATTERN)
        faults[name] = _ACCOUNT, ~_as_bool(pc.fill_null(matches, False))
    refuse_first_fault(table, source, place or (lambda row: f"row {row + 1}"), faults, _TEXT)

    columns: dict[str, Column] = {name: values[name] for name in _NUMBERS if name != LABEL}
    columns["type"] = TextColumn(np.asarray(kinds, dtype=np.int64), TRANSACTION_TYPES)
    columns |= {name: _texts(table[name]) for name in _ACCOUNTS}
    ordered = {name: columns[name] for name in WIRE_NAMES.values()}
    return _in_time_order(ordered, values[LABEL] == 1, source)


def _usable(source: str, name: str, column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return a column in a type that can be checked cell by cell.

    Raises:
        TrainingError: no cell of this type can be valid.
    """
    column = arrow_columns.plain(column)
    if name == LABEL:
        column = _label_as_number(column)
    is_name = name in _TEXT
    fits = arrow_columns.can_be_text if is_name else arrow_columns.can_be_numbers
    if not fits(column.type):
        what = "text" if is_name else "numbers"
        raise TrainingError(
            f"{source}: the column {name} has the type {column.type}; it must hold {what}."
        )
    try:
        return arrow_columns.to_text(column) if is_name else column
    except pa.ArrowInvalid as error:
        raise TrainingError(f"{source}: the column {name} is not UTF-8 text.") from error


def _label_as_number(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return labels that are booleans, or their names as pandas writes them, as 1 and 0."""
    if pa.types.is_boolean(column.type):
        return column.cast(pa.int8())
    if not arrow_columns.is_text(column.type):
        return column
    text = arrow_columns.to_text(column)
    lower = pc.ascii_lower(text)
    for word, number in (("true", "1"), ("false", "0")):
        text = pc.if_else(pc.fill_null(pc.equal(lower, word), False), number, text)
    return text


def _in_time_order(columns: Columns, is_fraud: BoolArray, source: str) -> LabelledEvents:
    step = np.asarray(columns["step"])
    if np.any(np.diff(step) < 0):
        order = np.argsort(step, kind="stable")
        columns, is_fraud, step = taken(columns, order), is_fraud[order], step[order]
    return LabelledEvents(
        PAYSIM, columns, is_fraud, step, None, source, fingerprint(columns, is_fraud)
    )


def _read_csv(path: Path, source: str) -> LabelledEvents:
    file = open_csv(path, source, COLUMNS)
    require_columns(source, file.names, COLUMNS)
    read_in = from_table(file.read(COLUMNS), source, place=file.place)
    return replace(read_in, ignored=ignored_columns(file.names, COLUMNS))


def _read_parquet(path: Path, source: str) -> LabelledEvents:
    with _open_parquet(path) as file:
        names = file.schema_arrow.names
        require_columns(source, names, COLUMNS)
        read_in = from_table(file.read(columns=list(COLUMNS)), source)
    return replace(read_in, ignored=ignored_columns(names, COLUMNS))


@contextmanager
def _open_parquet(path: Path) -> Iterator[pyarrow.parquet.ParquetFile]:
    # Opened by Python: Arrow cannot encode every name.
    with path.open("rb") as content, pyarrow.parquet.ParquetFile(content) as file:
        yield file


def _as_bool(array: pa.ChunkedArray) -> BoolArray:
    return np.asarray(array, dtype=np.bool_)


def _texts(column: pa.ChunkedArray) -> TextColumn:
    encoded = arrow_columns.to_text(column).combine_chunks().dictionary_encode()
    codes = np.asarray(encoded.indices.cast(pa.int64()), dtype=np.int64)
    return TextColumn(codes, tuple(encoded.dictionary.to_pylist()))
