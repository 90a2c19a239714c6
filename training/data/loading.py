"""Read labelled transactions from CSV or Parquet in the PaySim schema, or from an Arrow table.

The bounds are those of `scoring.transaction.Transaction`, checked a column at a time, so that no
model is trained on a transaction that the service would refuse.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet

from scoring.features import BoolArray, FloatArray, TransactionColumns
from scoring.transaction import (
    ACCOUNT_PATTERN,
    MAX_ACCOUNT_LENGTH,
    MAX_AMOUNT,
    MAX_BALANCE,
    MAX_STEP,
    TRANSACTION_TYPES,
    WIRE_NAMES,
)
from training.errors import TrainingError

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
    LABEL: ("0 or 1", lambda v: (v == 0) | (v == 1)),
}
_ACCOUNT = f"1 to {MAX_ACCOUNT_LENGTH} printable ASCII characters without spaces"


@dataclass(frozen=True, slots=True)
class LabelledTransactions:
    """n transactions in time order with their labels.

    Attributes:
        columns: fields from which the features are computed, n rows, steps non-decreasing.
        is_fraud: labels, bool (n,).
        source: name of the source, for people.
        fingerprint: SHA-256 in hex of every number that training reads, in time order.
    """

    columns: TransactionColumns
    is_fraud: BoolArray
    source: str
    fingerprint: str

    @property
    def step(self) -> FloatArray:
        """Hours, non-decreasing, float64 (n,)."""
        return self.columns.step

    def rows_of_hours(self, from_step: int | None, until_step: int | None) -> slice:
        """Return the rows of the hours from_step to until_step, both included.

        Args:
            from_step: first hour; None begins at the first row.
            until_step: last hour; None ends at the last row.
        """
        first = None if from_step is None else np.searchsorted(self.step, from_step, side="left")
        end = None if until_step is None else np.searchsorted(self.step, until_step, side="right")
        return slice(
            0 if first is None else int(first),
            len(self) if end is None else int(end),
        )

    def span(self, rows: slice) -> tuple[str, str]:
        """Return the first and the last hour of some rows."""
        return f"{self.step[rows.start]:.0f}", f"{self.step[rows.stop - 1]:.0f}"

    def __len__(self) -> int:
        return int(self.is_fraud.shape[0])


def read(path: Path) -> LabelledTransactions:
    """Read a file of transactions.

    Args:
        path: file with at least COLUMNS, whose name ends in `.csv` or `.parquet`.

    Raises:
        TrainingError: the file cannot be read, lacks a column, or holds a row that the service
            would refuse; the message names the column, or the row and the field.
    """
    return from_table(_read_table(path), path.name, first_line=2 if _is_csv(path) else None)


def from_table(
    table: pa.Table, source: str, *, first_line: int | None = None
) -> LabelledTransactions:
    """Check a table of transactions and put it in time order.

    Args:
        table: table with at least COLUMNS; numbers as numbers or as text.
        source: name of the source in error messages.
        first_line: line of the file with the first row, where the source has lines.

    Raises:
        TrainingError: see `read`.
    """
    _require_columns(source, table.column_names)
    if table.num_rows == 0:
        raise TrainingError(f"{source} has no rows.")
    values, faults = {}, {}
    for name, (rule, is_good) in _NUMBERS.items():
        values[name] = _as_float64(table[name])
        faults[name] = rule, ~is_good(values[name])
    kinds = pc.index_in(_as_text(table["type"]), value_set=pa.array(TRANSACTION_TYPES))
    faults["type"] = f"one of {', '.join(TRANSACTION_TYPES)}", _as_bool(pc.is_null(kinds))
    for name in (WIRE_NAMES["name_orig"], WIRE_NAMES["name_dest"]):
        matches = pc.match_substring_regex(_as_text(table[name]), ACCOUNT_PATTERN)
        faults[name] = _ACCOUNT, ~_as_bool(pc.fill_null(matches, False))
    _refuse_first_fault(table, source, first_line, faults)

    receivers = _as_text(table[WIRE_NAMES["name_dest"]])
    columns = TransactionColumns(
        step=values["step"],
        type_code=np.asarray(kinds, dtype=np.float64),
        amount=values["amount"],
        oldbalance_org=values[WIRE_NAMES["oldbalance_org"]],
        oldbalance_dest=values[WIRE_NAMES["oldbalance_dest"]],
        dest_is_merchant=_as_bool(pc.starts_with(receivers, "M")).astype(float),
    )
    return _in_time_order(columns, values[LABEL] == 1, source)


def _in_time_order(
    columns: TransactionColumns, is_fraud: BoolArray, source: str
) -> LabelledTransactions:
    if np.any(np.diff(columns.step) < 0):
        order = np.argsort(columns.step, kind="stable")
        columns = TransactionColumns(*(array[order] for array in _arrays(columns)))
        is_fraud = is_fraud[order]
    digest = hashlib.sha256()
    for array in (*_arrays(columns), is_fraud):
        digest.update(np.ascontiguousarray(array).data)
    return LabelledTransactions(columns, is_fraud, source, digest.hexdigest())


def _arrays(columns: TransactionColumns) -> list[FloatArray]:
    return [getattr(columns, field.name) for field in fields(columns)]


def _is_csv(path: Path) -> bool:
    return path.suffix.lower() == ".csv"


def _read_table(path: Path) -> pa.Table:
    if not path.is_file():
        raise TrainingError(f"{path} is not a file.")
    try:
        if _is_csv(path):
            return _read_csv(path)
        if path.suffix.lower() == ".parquet":
            with pyarrow.parquet.ParquetFile(path) as file:
                _require_columns(path.name, file.schema_arrow.names)
                return file.read(columns=list(COLUMNS))
    except (pa.ArrowException, OSError, UnicodeDecodeError, csv.Error) as error:
        reason = str(error).strip().splitlines()[0].rstrip(".")
        raise TrainingError(f"{path.name} cannot be read: {reason}.") from error
    raise TrainingError(f"{path.name} must end in .csv or .parquet.")


def _read_csv(path: Path) -> pa.Table:
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        _require_columns(path.name, next(csv.reader(file), []))
    ragged: list[pyarrow.csv.InvalidRow] = []

    def record(row: pyarrow.csv.InvalidRow) -> str:
        ragged.append(row)
        return "error"

    try:
        return pyarrow.csv.read_csv(
            path,
            # One thread: Arrow counts rows only then.
            read_options=pyarrow.csv.ReadOptions(use_threads=False),
            parse_options=pyarrow.csv.ParseOptions(invalid_row_handler=record),
            # Everything as text: Arrow's own conversion stops at the first bad cell with an error
            # that lacks the rule; _as_float64 converts 1.5 million rows in 0.1 s a column.
            convert_options=pyarrow.csv.ConvertOptions(
                include_columns=list(COLUMNS),
                column_types=dict.fromkeys(COLUMNS, pa.string()),
            ),
        )
    except pa.ArrowInvalid as error:
        if not ragged:
            raise
        row = ragged[0]
        raise TrainingError(
            f"{path.name}, row {row.number - 1} (line {row.number}): the row has "
            f"{row.actual_columns} columns, the header has {row.expected_columns}."
        ) from error


def _require_columns(source: str, names: list[str]) -> None:
    missing = [name for name in COLUMNS if name not in names]
    if missing:
        noun = "column" if len(missing) == 1 else "columns"
        raise TrainingError(
            f"{source} lacks the {noun} {', '.join(missing)}; its columns are "
            f"{', '.join(names) or 'none'}."
        )
    twice = [name for name in COLUMNS if names.count(name) > 1]
    if twice:
        raise TrainingError(f"{source} has the column {twice[0]} more than once.")


def _as_bool(array: pa.ChunkedArray) -> BoolArray:
    return np.asarray(array, dtype=np.bool_)


def _as_text(array: pa.ChunkedArray) -> pa.ChunkedArray:
    return array if pa.types.is_large_string(array.type) else array.cast(pa.string())


def _as_float64(array: pa.ChunkedArray) -> FloatArray:
    """Return the values as numbers, NaN where a value is not a number."""
    try:
        return np.asarray(array.cast(pa.float64()), dtype=np.float64)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return np.array([_number(value) for value in array.to_pylist()], dtype=np.float64)


def _number(value: object) -> float:
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return float("nan")


def _refuse_first_fault(
    table: pa.Table,
    source: str,
    first_line: int | None,
    faults: dict[str, tuple[str, BoolArray]],
) -> None:
    first = {name: int(np.argmax(bad)) for name, (_, bad) in faults.items() if bad.any()}
    if not first:
        return
    field = min(first, key=lambda name: (first[name], COLUMNS.index(name)))
    row = first[field]
    count = int(np.count_nonzero(np.logical_or.reduce([bad for _, bad in faults.values()])))
    value = table[field][row].as_py()
    shown = "empty" if value in (None, "") else repr(value)
    if len(shown) > 60:
        shown = shown[:57] + "..."
    line = "" if first_line is None else f" (line {row + first_line})"
    others = "" if count == 1 else f" {count} rows are not valid."
    raise TrainingError(
        f"{source}, row {row + 1}{line}: {field} must be {faults[field][0]}, not {shown}.{others}"
    )
