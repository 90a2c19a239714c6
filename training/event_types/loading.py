"""Read labelled events from a file by their event type.

The rules are those of `scoring.event_type.validation`, checked a column at a time, so that no model
is trained on an event that the service would refuse. A file may write numbers, times and missing
values in more ways than a request: docs of `cells` and `times` list them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from scoring.columns import BoolArray, Column, Columns, FloatArray, TextColumn
from scoring.event_type.fields import EventType, Field
from scoring.event_type.limits import (
    MAX_CATEGORY_LENGTH,
    MAX_ENTITY_LENGTH,
    MAX_INTEGER,
    MAX_TEXT_LENGTH,
)
from scoring.event_type.values import ENTITY_RULE, TEXT_RULE, category_rule, number_rule
from scoring.event_type.visible_text import is_trimmed, is_visible
from sentinel.sentences import printable
from training.data import columns as arrow_columns
from training.data.faults import refuse_first_fault
from training.data.table_file import readable
from training.errors import TrainingError
from training.event_types.cells import (
    Int64Array,
    booleans,
    can_be_texts,
    is_missing,
    numbers,
    texts,
)
from training.event_types.labels import LABEL_RULE, labels
from training.event_types.table import EventTable, read_table
from training.event_types.times import times


@dataclass(frozen=True, slots=True)
class EventData:
    """n labelled events, in time order where the event type has a time.

    Attributes:
        columns: column by the name of each field that is not ignored, n rows each.
        labels: whether each event is fraud, bool (n,).
        time_us: microseconds since 1970 UTC, non-decreasing, int64 (n,); None where no field has
            the role time, and the events are in the order of the file.
        source: name of the file, for people.
        ignored: names of the columns of the file that are neither fields nor the label.
    """

    columns: Columns
    labels: BoolArray
    time_us: Int64Array | None
    source: str
    ignored: tuple[str, ...]

    def __len__(self) -> int:
        return int(self.labels.shape[0])


@dataclass(frozen=True, slots=True)
class _Read:
    """A field that was read.

    Attributes:
        column: values, missing where a cell is not valid.
        is_bad: which cells are not valid, bool (n,).
        rule: what a cell must be, as a phrase.
        us: microseconds since 1970 UTC of a timestamp, int64 (n,).
    """

    column: Column
    is_bad: BoolArray
    rule: str
    us: Int64Array | None = None


def load_events(path: Path, event_type: EventType) -> EventData:
    """Read a file of labelled events.

    Args:
        path: CSV or Parquet file with a column for the label and for each required field.
        event_type: valid event type with a label.

    Raises:
        TrainingError: the file cannot be read, lacks a column, or has a cell that is not valid;
            the message names the column, or the row and the column.
    """
    if event_type.label is None:
        raise TrainingError(
            f"The event type {event_type.name} has no label; give the name of the label's column."
        )
    fields = [field for field in event_type.fields if not field.ignored]
    known = [event_type.label, *(field.name for field in fields)]
    needed = [event_type.label, *(field.name for field in fields if not field.optional)]
    with readable(path) as source:
        found = read_table(path, source, known, needed, set(known).__contains__)
        read = {
            field.name: _read_field(field, found.table[field.name], source)
            for field in fields
            if field.name in found.table.column_names
        }
        is_fraud = labels(found.table[event_type.label])
        _refuse_faults(found, fields, read, event_type.label, np.isnan(is_fraud))
    n = len(is_fraud)
    columns = {
        f.name: read[f.name].column if f.name in read else _all_missing(f, n) for f in fields
    }
    passed_over = {*known, *(field.name for field in event_type.fields), ""}
    ignored = tuple(printable(name) for name in found.names if name not in passed_over)
    time = next((field.name for field in fields if field.role == "time"), None)
    us = None if time is None else read[time].us
    if us is not None and np.any(np.diff(us) < 0):
        order = np.argsort(us, kind="stable")
        columns = {name: _taken(column, order) for name, column in columns.items()}
        is_fraud, us = is_fraud[order], us[order]
    return EventData(columns, is_fraud == 1, us, source, ignored)


def _refuse_faults(
    found: EventTable,
    fields: list[Field],
    read: dict[str, _Read],
    label: str,
    is_unlabelled: BoolArray,
) -> None:
    faults = {name: (field.rule, field.is_bad) for name, field in read.items()}
    faults[label] = LABEL_RULE, is_unlabelled
    texts_of = [field.name for field in fields if field.kind not in ("number", "integer")]
    refuse_first_fault(found.table, found.source, found.place, faults, [*texts_of, label])


def _read_field(field: Field, column: pa.ChunkedArray, source: str) -> _Read:
    reader, fits = _READERS[field.kind]
    if not fits(column.type):
        raise TrainingError(
            f"{source}: the column {field.name} has the type {column.type}, which cannot be a "
            f"{field.kind}."
        )
    try:
        missing = is_missing(column, but=field.values or ())
        read = reader(field, column, missing)
    except pa.ArrowInvalid as error:
        if not arrow_columns.is_text(column.type):
            raise
        raise TrainingError(f"{source}: the column {field.name} is not UTF-8 text.") from error
    if field.optional:
        return read
    return _Read(read.column, read.is_bad | missing, read.rule, read.us)


def _number(field: Field, column: pa.ChunkedArray, missing: BoolArray) -> _Read:
    values = numbers(column)
    values[missing] = np.nan
    low = -np.inf if field.minimum is None else field.minimum
    high = np.inf if field.maximum is None else field.maximum
    is_good = np.isfinite(values) & (values >= low) & (values <= high)
    if field.kind == "integer":
        is_good &= (values == np.floor(values)) & (np.abs(values) <= MAX_INTEGER)
    return _Read(values, ~(is_good | missing), number_rule(field))


def _boolean(field: Field, column: pa.ChunkedArray, missing: BoolArray) -> _Read:
    del field
    values = booleans(column)
    values[missing] = np.nan
    return _Read(values, np.isnan(values) & ~missing, "true or false, 1 or 0, yes or no")


def _timestamp(field: Field, column: pa.ChunkedArray, missing: BoolArray) -> _Read:
    del field
    found = times(column, missing)
    is_good = found.is_time & (found.us >= 0)
    seconds = np.where(is_good, found.us / 1e6, np.nan)
    rule = "a time since 1970, such as 2026-05-01T09:30:00Z, or a number since 1970"
    return _Read(seconds, ~(is_good | missing), rule, found.us)


def _category(field: Field, column: pa.ChunkedArray, missing: BoolArray) -> _Read:
    if field.values is not None:
        return _text_of(
            column, missing, set(field.values).__contains__, category_rule(field.values)
        )
    return _text_of(column, missing, _is_category, category_rule(None))


def _entity(field: Field, column: pa.ChunkedArray, missing: BoolArray) -> _Read:
    del field
    return _text_of(column, missing, _is_entity, ENTITY_RULE)


def _text(field: Field, column: pa.ChunkedArray, missing: BoolArray) -> _Read:
    del field
    return _text_of(column, missing, _is_text, TEXT_RULE)


def _text_of(
    column: pa.ChunkedArray, missing: BoolArray, is_valid: Callable[[str], bool], rule: str
) -> _Read:
    found = texts(column, missing)
    is_good = np.fromiter(map(is_valid, found.values), np.bool_, len(found.values))
    is_bad = ~np.append(is_good, True)[found.codes]
    return _Read(found, is_bad, rule)


def _is_category(text: str) -> bool:
    return 1 <= len(text) <= MAX_CATEGORY_LENGTH and is_visible(text)


def _is_entity(text: str) -> bool:
    return 1 <= len(text) <= MAX_ENTITY_LENGTH and is_visible(text) and is_trimmed(text)


def _is_text(text: str) -> bool:
    return len(text) <= MAX_TEXT_LENGTH and "\0" not in text


def _can_be_time(kind: pa.DataType) -> bool:
    is_time = pa.types.is_timestamp(kind) or pa.types.is_date(kind)
    return is_time or arrow_columns.can_be_numbers(kind)


_READERS: dict[
    str,
    tuple[Callable[[Field, pa.ChunkedArray, BoolArray], _Read], Callable[[pa.DataType], bool]],
] = {
    "number": (_number, arrow_columns.can_be_numbers),
    "integer": (_number, arrow_columns.can_be_numbers),
    "boolean": (_boolean, can_be_texts),
    "timestamp": (_timestamp, _can_be_time),
    "category": (_category, can_be_texts),
    "entity": (_entity, can_be_texts),
    "text": (_text, can_be_texts),
}
"""Reader of each kind, and the types of columns that it reads."""


def _all_missing(field: Field, n: int) -> Column:
    if field.kind in ("category", "entity", "text"):
        return TextColumn(np.full(n, -1, dtype=np.int64), ())
    return np.full(n, np.nan)


def _taken(column: Column, order: Int64Array) -> Column:
    if isinstance(column, TextColumn):
        return TextColumn(column.codes[order], column.values)
    values: FloatArray = column[order]
    return values
