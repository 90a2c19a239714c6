"""Put the entities of a file into a list, or take them out: one change, all or nothing.

Rows that are not valid are written beside the file; the others are stored together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection, Engine

from persistence.actor import Actor
from persistence.rules.entries import MAX_ENTRIES, add_entries, remove_entries
from persistence.rules.lists import list_named
from persistence.rules.names import event_type_in_force
from persistence.tenancy import tenant_transaction
from scoring.event_type.fields import EventType
from scoring.lists.entry_rows import (
    COLUMNS,
    BadEntry,
    EntryDefaults,
    parse_entry,
    parse_value,
)
from scoring.tables.csv_rows import Row, TableFileError
from sentinel.operations.list_files import read_rows
from sentinel.operations.rejected_rows import RejectedRows
from sentinel.sentences import shown

FAULT = "fault"
"""Column of the rejects with what is wrong with a row; `reason` is that of the entry."""
STEP_ROWS = 5000

Progress = Callable[[int, int], None]
"""Receives the number of rows that were read, and of those that were rejected."""
Parsed = TypeVar("Parsed")


@dataclass(frozen=True, slots=True)
class ChangedEntries:
    """What became of the rows of a file.

    Attributes:
        rows: rows that were read.
        rejected: rows that are not valid.
        changed: entries that were added, or removed.
        others: entries that replaced another one, or values that were not in the list.
    """

    rows: int
    rejected: int
    changed: int
    others: int


def add_file(
    engine: Engine,
    tenant_id: int,
    name: str,
    path: Path,
    defaults: EntryDefaults,
    actor: Actor,
    *,
    note: Callable[[str], None] = lambda _sentence: None,
    progress: Progress = lambda _rows, _rejected: None,
) -> ChangedEntries:
    """Put the entities of a file into a list in one change.

    Args:
        engine: pool of connections.
        tenant_id: tenant whose list it is.
        name: name of the list.
        path: CSV or Parquet file with the columns of `entry_rows.COLUMNS`, or with one column.
        defaults: reason and expiry of the rows that have none.
        actor: who adds them.
        note: see `list_files.read_rows`.
        progress: function that receives the counts every STEP_ROWS rows.

    Raises:
        TableFileError: the file cannot be read or has too many rows; nothing is stored.
        NotFound: there is no such list.
        InvalidRequest: the lists would have more than MAX_ENTRIES entries; nothing is stored.
    """
    now = datetime.now(UTC)
    with (
        RejectedRows(path, COLUMNS, FAULT) as rejects,
        tenant_transaction(engine, tenant_id, actor=actor) as connection,
    ):
        reader = _Reader(path, rejects, progress)
        rows = read_rows(
            path,
            _names_of_values(connection, tenant_id, name),
            needs_reason=defaults.reason is None,
            note=note,
        )
        entries = reader.parsed(rows, lambda row: parse_entry(row.cells, defaults, now))
        added, replaced = add_entries(connection, tenant_id, name, entries, actor)
    return ChangedEntries(reader.rows, rejects.count, added, replaced)


def remove_file(
    engine: Engine,
    tenant_id: int,
    name: str,
    path: Path,
    actor: Actor,
    *,
    note: Callable[[str], None] = lambda _sentence: None,
    progress: Progress = lambda _rows, _rejected: None,
) -> ChangedEntries:
    """Take the entities of a file out of a list in one change.

    Args:
        engine: as of `add_file`, like those below.
        tenant_id: tenant whose list it is.
        name: name of the list.
        path: CSV or Parquet file with the column `value`, or with one column.
        actor: who removes them.
        note: see `list_files.read_rows`.
        progress: function that receives the counts every STEP_ROWS rows.

    Raises:
        TableFileError: the file cannot be read or has too many rows; nothing is removed.
        NotFound: there is no such list.
    """
    with (
        RejectedRows(path, COLUMNS, FAULT) as rejects,
        tenant_transaction(engine, tenant_id, actor=actor) as connection,
    ):
        reader = _Reader(path, rejects, progress)
        rows = read_rows(
            path,
            _names_of_values(connection, tenant_id, name),
            needs_reason=False,
            note=note,
        )
        values = reader.parsed(rows, lambda row: parse_value(row.cells))
        removed, unknown = remove_entries(connection, tenant_id, name, values)
    return ChangedEntries(reader.rows, rejects.count, removed, unknown)


def read_entities(
    path: Path, entity: str, event_type: EventType, note: Callable[[str], None]
) -> list[str]:
    """Return the entities of a file, all of which have to be valid.

    Args:
        path: CSV or Parquet file with the column `value`, or with one column.
        entity: slug of what they are.
        event_type: event type that has the entity.
        note: see `list_files.read_rows`.

    Raises:
        TableFileError: the file cannot be read, has a row that is not valid, none or too many.
    """
    found: list[str] = []
    names = _names_of(entity, event_type)
    for row in read_rows(path, names, needs_reason=False, note=note):
        try:
            if row.fault:
                raise BadEntry(("", row.fault))
            found.append(parse_value(row.cells))
        except BadEntry as error:
            place = f"row {row.number}" if row.line is None else f"line {row.line}"
            raise TableFileError(f"{shown(path.name)}, {place}: {error}.") from error
        if len(found) > MAX_ENTRIES:
            raise _too_many(path)
    if not found:
        raise TableFileError(f"{shown(path.name)} has no entities.")
    return found


class _Reader:
    """Reads the valid rows of a file and rejects the others.

    Attributes:
        rows: rows that were read.
    """

    def __init__(self, path: Path, rejects: RejectedRows, progress: Progress) -> None:
        self.rows = 0
        self._path = path
        self._rejects = rejects
        self._progress = progress

    def parsed(self, rows: Iterator[Row], parse: Callable[[Row], Parsed]) -> Iterator[Parsed]:
        """Yield what the valid rows hold."""
        for row in rows:
            self.rows += 1
            if self.rows % STEP_ROWS == 0:
                self._progress(self.rows, self._rejects.count)
            try:
                if row.fault:
                    raise BadEntry(("", row.fault))
                parsed = parse(row)
            except BadEntry as error:
                self._rejects.add(row, fault_of(error))
                continue
            if self.rows - self._rejects.count > MAX_ENTRIES:
                raise _too_many(self._path)
            yield parsed


def fault_of(error: BadEntry) -> str:
    """Return what is wrong with a row of a file, for whoever gave the command."""
    hint = {("reason", "is missing"): "; --reason gives one to the rows without"}
    return "; ".join(f"{' '.join(one).strip()}{hint.get(one, '')}" for one in error.faults)


def _too_many(path: Path) -> TableFileError:
    return TableFileError(
        f"{shown(path.name)} has more than {MAX_ENTRIES:,} rows; all lists together have at most "
        "as many entries."
    )


def _names_of_values(connection: Connection, tenant_id: int, name: str) -> list[str]:
    """Return the names of a list's entity and of the fields that have it."""
    entity = list_named(connection, tenant_id, name).entity
    return _names_of(entity, event_type_in_force(connection, tenant_id))


def _names_of(entity: str, event_type: EventType) -> list[str]:
    fields = event_type.kept.items()
    return [entity, *(name for name, field in fields if field.entity == entity)]
