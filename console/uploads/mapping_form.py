"""The form that says which column holds which field, and what the first rows become by it."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import BinaryIO, cast
from zoneinfo import ZoneInfo

from sqlalchemy import Engine

from persistence.event_types import StoredEventType
from persistence.uploads.facts import Upload
from persistence.uploads.files import RejectedRow, StoredFile
from scoring.errors import FieldError
from scoring.event_type.fields import Field
from scoring.event_type.validation import EventValidator
from scoring.tables.csv_rows import Row
from scoring.transaction import PAYSIM
from scoring.uploads.mapping import faults, suggested, targets
from scoring.uploads.row_reader import BadRow, RowReader
from scoring.uploads.table import rows_of
from serving.bodies import event_of

PREFIX = "f."
"""Begin of the names of the form's inputs, before the name of a field."""
CHECKED_ROWS = 100
SHOWN_BAD_ROWS = 10
SAMPLES = 3
_SAMPLE_LENGTH = 40


@dataclass(frozen=True, slots=True)
class Target:
    """A line of the form.

    Attributes:
        name: field, or external_id.
        field: definition of the field; None of external_id.
        column: column that holds it; empty: none.
        samples: its first cells.
        problem: what is wrong with the choice; empty: nothing.
    """

    name: str
    field: Field | None
    column: str
    samples: Sequence[str]
    problem: str

    @property
    def is_needed(self) -> bool:
        """Whether every event has it."""
        return self.field is not None and not self.field.optional


@dataclass(frozen=True, slots=True)
class MappingForm:
    """The form as it is shown.

    Attributes:
        targets: its lines.
        zone: zone of times without one; empty: they are refused.
        has_times: whether the event type has times, so that the zone matters.
        unused: columns that hold no field; they come back in the results.
        problems: what stands in the way of a start.
        checked: number of first rows that were checked; 0 where the mapping has problems.
        bad: those of them that would be rejected.
    """

    targets: Sequence[Target]
    zone: str
    has_times: bool
    unused: Sequence[str]
    problems: Sequence[FieldError]
    checked: int
    bad: Sequence[RejectedRow]

    @property
    def column_of(self) -> dict[str, str]:
        """The mapping."""
        return {one.name: one.column for one in self.targets if one.column}


def typed_mapping(given: Mapping[str, str]) -> dict[str, str] | None:
    """Return the mapping of a sent form; None where nothing was sent."""
    sent = {
        name.removeprefix(PREFIX): value.strip()
        for name, value in given.items()
        if name.startswith(PREFIX)
    }
    return {name: column for name, column in sent.items() if column} if sent else None


def mapping_form(
    engine: Engine,
    tenant_id: int,
    upload: Upload,
    stored: StoredEventType | None,
    typed: Mapping[str, str] | None,
    zone: str,
) -> MappingForm:
    """Return the form of a mapping, with what the first rows become by it.

    Args:
        engine: pool of connections.
        tenant_id: tenant whose upload it is.
        upload: upload that was not started.
        stored: tenant's event type in force; None: PaySim's.
        typed: mapping as sent; None: the columns are chosen by their names.
        zone: name of the zone of times without one; empty: they are refused.
    """
    event_type = stored.event_type if stored else PAYSIM
    columns = upload.shape.columns
    column_of = suggested(event_type, columns) if typed is None else dict(typed)
    problems = faults(event_type, columns, column_of)
    first = _first_rows(engine, tenant_id, upload)
    bad: list[RejectedRow] = []
    if not problems:
        is_own = stored is not None and event_type != PAYSIM
        validator = EventValidator(event_type) if is_own else None
        reader = RowReader(
            event_type,
            columns,
            column_of,
            ZoneInfo(zone) if zone else None,
            lambda body: event_of(body, validator),
        )
        bad = _bad_rows(reader, first)
    by_field = {one.field: one.message for one in reversed(problems)}
    used = set(column_of.values())
    return MappingForm(
        [
            Target(
                name,
                event_type.kept.get(name),
                column_of.get(name, ""),
                _samples(first, columns, column_of.get(name)),
                by_field.get(name, ""),
            )
            for name in targets(event_type)
        ],
        zone,
        any(field.kind == "timestamp" for field in event_type.kept.values()),
        [name for name in columns if name and name not in used],
        problems,
        0 if problems else len(first),
        bad,
    )


def _first_rows(engine: Engine, tenant_id: int, upload: Upload) -> list[Row]:
    with io.BufferedReader(StoredFile(engine, tenant_id, upload.number)) as file:
        rows = rows_of(cast("BinaryIO", file), upload.shape.separator)
        return list(islice(rows, CHECKED_ROWS))


def _bad_rows(reader: RowReader, rows: Sequence[Row]) -> list[RejectedRow]:
    bad = []
    for row in rows:
        try:
            reader.read(row, "preview")
        except BadRow as error:
            bad.append(RejectedRow(row.number, row.line, error.faults))
    return bad


def _samples(rows: Sequence[Row], columns: Sequence[str], column: str | None) -> list[str]:
    if column not in columns:
        return []
    place = columns.index(column or "")
    cells = [str(row.cells[place]) for row in rows[:SAMPLES]]
    return [_shown(cell) for cell in cells if cell]


def _shown(cell: str) -> str:
    text = cell.encode(errors="replace").decode()
    return text if len(text) <= _SAMPLE_LENGTH else f"{text[:_SAMPLE_LENGTH]}…"
