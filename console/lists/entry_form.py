"""Entries as they are typed, pasted or uploaded, and what is wrong with them by row."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from api.lists.csv_body import MAX_ERRORS, MAX_ROWS, new_entries_of_csv
from scoring.errors import FieldError, InvalidRequest, invalid_request
from scoring.lists.entry_rows import COLUMNS, EntryDefaults, NewEntry, entity_fault, reason_fault
from scoring.tables.csv_rows import SEPARATORS

EXPIRIES = {"": None, "1": 1, "7": 7, "30": 30, "90": 90, "365": 365}
"""Days after which an entry no longer counts, by the choice's name; None: it stays."""
MAX_BYTES = 2 * 1024 * 1024
"""Size of an uploaded file."""


@dataclass(frozen=True, slots=True)
class RowProblem:
    """What is wrong with a row of pasted or uploaded entries.

    Attributes:
        line: line, from 1; None of the text as a whole.
        column: column; empty of the row as a whole.
        message: what it must be, as a phrase.
    """

    line: int | None
    column: str
    message: str


def expiry_of(choice: str, now: datetime) -> datetime | None:
    """Return the time at which entries with a choice of EXPIRIES expire; None: they stay."""
    days = EXPIRIES.get(choice)
    return None if days is None else now + timedelta(days=days)


def typed_entry(value: str, reason: str, expires_at: datetime | None) -> NewEntry:
    """Return the entry that somebody typed.

    Raises:
        InvalidRequest: names `value` or `reason`.
    """
    entry = NewEntry(value.strip(), reason.strip(), expires_at)
    faults = [("value", entity_fault(entry.value)), ("reason", reason_fault(entry.reason))]
    errors = [FieldError(name, fault) for name, fault in faults if fault is not None]
    if errors:
        raise invalid_request(errors)
    return entry


def pasted_entries(text: str, defaults: EntryDefaults, now: datetime) -> list[NewEntry]:
    """Return pasted entries: a table whose header has the column value, or one entity a line.

    Args:
        text: what was pasted.
        defaults: what the entries have that do not say otherwise.
        now: time that each expiry must be later than.

    Raises:
        InvalidRequest: names the line and the column of each of the first errors.
    """
    lines = text.splitlines()
    if _is_table(lines):
        return new_entries_of_csv(text.encode(errors="surrogateescape"), defaults, now)
    errors: list[FieldError] = []
    entries: list[NewEntry] = []
    fault = "is missing" if defaults.reason is None else reason_fault(defaults.reason)
    if fault is not None:
        errors.append(FieldError("reason", fault))
    for number, line in enumerate(lines, 1):
        value = line.strip()
        if not value:
            continue
        if (fault := entity_fault(value)) is not None:
            errors.append(FieldError(f"lines.{number}.value", fault))
        entries.append(NewEntry(value, defaults.reason or "", defaults.expires_at))
    if len(entries) > MAX_ROWS:
        errors = [FieldError("body", f"has more than {MAX_ROWS:,} rows")]
    if not entries:
        errors.append(FieldError("body", "has no entity"))
    if errors:
        raise invalid_request(errors[:MAX_ERRORS])
    return entries


def row_problems(error: InvalidRequest) -> list[RowProblem]:
    """Return what is wrong with pasted or uploaded entries, row by row."""
    problems = []
    for one in error.errors:
        first, _, rest = one.field.partition(".")
        line, _, column = rest.partition(".")
        is_row = first == "lines" and line.isdigit()
        problems.append(
            RowProblem(
                int(line) if is_row else None,
                column if is_row else "" if first == "body" else one.field,
                one.message,
            )
        )
    return problems


def _is_table(lines: list[str]) -> bool:
    header = next((line for line in lines if line.strip()), "")
    names = {
        name.strip().strip('"') for separator in SEPARATORS for name in header.split(separator)
    }
    return COLUMNS[0] in names
