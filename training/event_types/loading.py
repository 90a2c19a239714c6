"""Read events from a file by their event type.

The rules are those of `scoring.event_type.validation`, checked a column at a time, so that no model
is trained on an event that the service would refuse. A file may write numbers, times and missing
values in more ways than a request: docs of `cells` and `times` list them.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from scoring.columns import BoolArray, Columns
from scoring.event_type.fields import EventType, Field
from scoring.printable import printable
from training.data.faults import refuse_first_fault
from training.data.labelled_events import taken
from training.data.loading import check
from training.data.table_file import readable
from training.errors import TrainingError
from training.event_types.cells import Int64Array
from training.event_types.field_columns import ReadField, all_missing, read_field
from training.event_types.labels import LABEL_RULE, labels
from training.event_types.table import EventTable, read_table


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


def check_columns(path: Path, event_type: EventType) -> None:
    """Check that a file has the columns that `load_events` needs; its rows are not read.

    Raises:
        TrainingError: the event type has no label, or the file cannot be opened or lacks a column.
    """
    known, needed = _column_names(event_type)
    check(path, known=known, needed=needed)


def load_events(path: Path, event_type: EventType) -> EventData:
    """Read a file of labelled events.

    Args:
        path: CSV or Parquet file with a column for the label and for each required field.
        event_type: valid event type with a label.

    Raises:
        TrainingError: the file cannot be read, lacks a column, or has a cell that is not valid;
            the message names the column, or the row and the column.
    """
    known, needed = _column_names(event_type)
    label = known[0]
    fields = list(event_type.kept.values())
    with readable(path) as source:
        found = read_table(path, source, known, needed, set(known).__contains__)
        read = read_fields(found, fields)
        is_fraud = labels(found.table[label])
        faults = {name: (field.rule, field.is_bad) for name, field in read.items()}
        faults[label] = LABEL_RULE, np.isnan(is_fraud)
        refuse_first_fault(
            found.table, found.source, found.place, faults, text_names(event_type, known)
        )
    columns = columns_of(fields, read, len(is_fraud))
    passed_over = {*known, *(field.name for field in event_type.fields), ""}
    ignored = tuple(printable(name) for name in found.names if name not in passed_over)
    time = event_type.roles.get("time")
    us = None if time is None else read[time].us
    if us is not None and np.any(np.diff(us) < 0):
        order = np.argsort(us, kind="stable")
        columns = taken(columns, order)
        is_fraud, us = is_fraud[order], us[order]
    return EventData(columns, is_fraud == 1, us, source, ignored)


def _column_names(event_type: EventType) -> tuple[list[str], list[str]]:
    """Return the columns that are read, the label's first, and those that have to be there.

    Raises:
        TrainingError: the event type has no label.
    """
    if event_type.label is None:
        raise TrainingError(
            f"The event type {event_type.name} has no label; give the name of the label's column."
        )
    fields = event_type.kept.values()
    return (
        [event_type.label, *event_type.kept],
        [event_type.label, *(field.name for field in fields if not field.optional)],
    )


def read_fields(found: EventTable, fields: list[Field]) -> dict[str, ReadField]:
    """Read the fields that a file has, by name.

    Raises:
        TrainingError: see `training.event_types.field_columns.read_field`.
    """
    return {
        field.name: read_field(field, found.table[field.name], found.source)
        for field in fields
        if field.name in found.table.column_names
    }


def columns_of(fields: list[Field], read: dict[str, ReadField], n: int) -> Columns:
    """Return the columns of n events by field name; a field that was not read is missing."""
    return {
        field.name: read[field.name].column if field.name in read else all_missing(field, n)
        for field in fields
    }


def text_names(event_type: EventType, names: list[str]) -> list[str]:
    """Return those of some columns that hold text, or the label, not numbers."""
    numeric = {f.name for f in event_type.kept.values() if f.kind in ("number", "integer")}
    return [name for name in names if name not in numeric]
