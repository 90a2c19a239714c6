"""Which column of a file holds which field of an event."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from scoring.errors import FieldError
from scoring.event_type.fields import EventType
from scoring.uploads.table import plain_name

EXTERNAL_ID = "external_id"

ColumnOf = Mapping[str, str]
"""Name of the column by name of the field, or EXTERNAL_ID; a field without a column is missing."""


def targets(event_type: EventType) -> list[str]:
    """Return what columns can hold: the fields that are not ignored, then EXTERNAL_ID."""
    return [*event_type.kept, EXTERNAL_ID]


def suggested(event_type: EventType, columns: Sequence[str]) -> dict[str, str]:
    """Return the columns that have the name of a field, but for case, spaces and dashes."""
    by_plain_name: dict[str, str] = {}
    for column in columns:
        by_plain_name.setdefault(plain_name(column), column)
    found: dict[str, str] = {}
    for name in targets(event_type):
        alike = name if name in columns else by_plain_name.get(plain_name(name))
        if alike and alike not in found.values():
            found[name] = alike
    return found


def faults(event_type: EventType, columns: Sequence[str], column_of: ColumnOf) -> list[FieldError]:
    """Return what stands in the way of a mapping, by field.

    Args:
        event_type: event type of the events.
        columns: columns of the file.
        column_of: column that holds each field.
    """
    known = targets(event_type)
    found = [
        FieldError(name, f"is not a field of {event_type.name}")
        for name in column_of
        if name not in known
    ]
    for name in known:
        column = column_of.get(name)
        if column is None:
            if name != EXTERNAL_ID and not event_type.kept[name].optional:
                found.append(FieldError(name, "needs a column, because every event has it"))
        elif column not in columns:
            found.append(FieldError(name, f"has no column: the file has none named {column}"))
        elif column == event_type.label:
            found.append(FieldError(name, f"cannot be {column}, which holds the label"))
        else:
            other = next(one for one in known if column_of.get(one) == column)
            if other != name:
                found.append(FieldError(name, f"has the column {column}, as {other} has"))
    return found
