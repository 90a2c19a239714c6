"""Read past events of an event type from a file, and leave out the rows that are not valid."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from scoring.columns import BoolArray, Columns
from scoring.event_type.fields import EventType
from training.data.csv_file import CsvFile, RaggedRow
from training.data.faults import cell_fault
from training.data.labelled_events import taken
from training.data.table_file import readable
from training.errors import TrainingError
from training.event_types.cells import Int64Array, is_missing
from training.event_types.labels import LABEL_RULE, labels
from training.event_types.loading import columns_of, read_fields, text_names
from training.event_types.table import EventTable, read_table

FUTURE_RULE = "at most 24 hours in the future"


@dataclass(frozen=True, slots=True)
class RejectedRow:
    """A row that holds no valid event.

    Attributes:
        row: number of the row, counted from 1 below the header.
        line: line of the file on which it begins, counted from 1; None in Parquet.
        cells: its cells as text, in the order of `PastEvents.names`.
        reason: what is wrong with it: a sentence for each cell that is not valid.
    """

    row: int
    line: int | None
    cells: Sequence[str]
    reason: str


@dataclass(frozen=True, slots=True)
class PastEvents:
    """The n valid events of a file, in time order.

    Attributes:
        columns: column by the name of each field that is not ignored, n rows each.
        is_fraud: whether each event has the label fraud, bool (n,).
        is_labelled: whether each event has a label, bool (n,).
        time_us: microseconds since 1970 UTC, non-decreasing, int64 (n,).
        names: names of the columns of the rejected rows.
        rejected: rows that are not valid, in the order of the file.
    """

    columns: Columns
    is_fraud: BoolArray
    is_labelled: BoolArray
    time_us: Int64Array
    names: tuple[str, ...]
    rejected: tuple[RejectedRow, ...]

    def before(self, time_us: int) -> PastEvents:
        """Return the events before a time, microseconds since 1970, with the same rejected rows."""
        rows = slice(0, int(np.searchsorted(self.time_us, time_us)))
        return replace(
            self,
            columns=taken(self.columns, rows),
            is_fraud=self.is_fraud[rows],
            is_labelled=self.is_labelled[rows],
            time_us=self.time_us[rows],
        )

    def __len__(self) -> int:
        return int(self.is_fraud.shape[0])


def load_past_events(path: Path, event_type: EventType, latest_us: int) -> PastEvents:
    """Read the valid events of a file, and why the other rows are not valid.

    Without a column for the label, and where its cell is empty, no fraud is known.

    Args:
        path: CSV or Parquet file with a column for each required field.
        event_type: valid event type.
        latest_us: latest time that an event may have, microseconds since 1970.

    Raises:
        TrainingError: the event type has no time or no entity, or the file cannot be read, lacks a
            column, or has a column of a type that its field cannot have.
    """
    time = event_type.roles.get("time")
    fields = list(event_type.kept.values())
    if time is None or not any(field.kind == "entity" for field in fields):
        raise TrainingError(
            f"The event type {event_type.name} has no {'entity' if time else 'time'}, so windows "
            "of its events cannot be computed, and a history is of no use."
        )
    label = event_type.label
    known = [*([label] if label else []), *event_type.kept]
    needed = [field.name for field in fields if not field.optional]
    left_out: list[RaggedRow] = []
    with readable(path) as source:
        found = read_table(path, source, known, needed, set(known).__contains__, left_out)
        read = read_fields(found, fields)
        # An optional time may be missing; a past event without one is in no window.
        us = read[time].us if time in read else None
        if us is None:
            raise TrainingError(f"{source} lacks the column {time}, the time of each event.")
        faults = {name: (field.rule, field.is_bad) for name, field in read.items()}
        rule, is_bad = faults[time]
        faults[time] = rule, is_bad | np.isnan(np.asarray(read[time].column))
        value = np.full(len(us), np.nan)
        if label in found.table.column_names:
            value = labels(found.table[label])
            unknown = np.isnan(value) & ~is_missing(found.table[label])
            faults[str(label)] = LABEL_RULE, unknown
        late = {time: (FUTURE_RULE, us > latest_us)}
        names = tuple(name for name in found.names if name in set(known))
        rejected = _rejected(found, names, [faults, late], text_names(event_type, known), left_out)
    is_good = ~np.logical_or.reduce([bad for _, bad in [*faults.values(), *late.values()]])
    good = np.flatnonzero(is_good)
    order = good[np.argsort(us[good], kind="stable")]
    columns = taken(columns_of(fields, read, len(us)), order)
    value = value[order]
    return PastEvents(columns, value == 1, ~np.isnan(value), us[order], names, rejected)


_Faults = Mapping[str, tuple[str, BoolArray]]
"""By column, what its cells must be, and which are not, bool (n,)."""


def _rejected(
    found: EventTable,
    names: Sequence[str],
    faults: Sequence[_Faults],
    texts: Sequence[str],
    left_out: Sequence[RaggedRow],
) -> tuple[RejectedRow, ...]:
    """Return the rows with faults, each with those of all its columns, and those left out."""
    bad: dict[int, dict[str, str]] = {}
    for some in faults:
        for name, (rule, is_bad) in some.items():
            for row in np.flatnonzero(is_bad).tolist():
                bad.setdefault(row, {}).setdefault(name, rule)
    ragged = {one.row: one for one in left_out}
    # Rows of the file by rows of the table, which lacks those that were left out.
    place = np.arange(found.table.num_rows + len(ragged))
    place = np.delete(place, sorted(ragged))
    of_file = {int(place[row]): row for row in bad}
    lines = found.csv.lines({*of_file, *ragged}) if found.csv and (bad or ragged) else {}
    rejected = []
    for row in sorted({*of_file, *ragged}):
        if row in ragged:
            cells = _cells_of(ragged[row], found.csv, names)
            reason = str(ragged[row])
        else:
            inside = of_file[row]
            values = (found.table[name][inside].as_py() for name in names)
            cells = ["" if value is None else str(value) for value in values]
            reason = " ".join(
                cell_fault(found.table, inside, name, bad[inside][name], texts)
                for name in sorted(bad[inside], key=names.index)
            )
        rejected.append(RejectedRow(row + 1, lines.get(row), cells, reason))
    return tuple(rejected)


def _cells_of(ragged: RaggedRow, file: CsvFile | None, names: Sequence[str]) -> list[str]:
    """Return the cells of a row under the names of the header, as far as it has both."""
    assert file is not None  # noqa: S101 - Parquet has no such rows
    cells = next(csv.reader([ragged.text], delimiter=file.separator), [])
    found = dict(zip(file.names, cells, strict=False))
    return [found.get(name, "") for name in names]
