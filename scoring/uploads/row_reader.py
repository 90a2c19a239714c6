"""Read the rows of an uploaded file as events, or say by field what is wrong with them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from scoring.errors import InvalidRequest
from scoring.event import AnyEvent
from scoring.event_type.fields import EventType
from scoring.tables.csv_rows import Row
from scoring.tables.missing_words import is_missing_word
from scoring.uploads.cells import BadCell, ReadCell, cell_reader
from scoring.uploads.mapping import EXTERNAL_ID, ColumnOf

logger = logging.getLogger("sentinel.uploads")

Validate = Callable[[dict[str, Any]], AnyEvent]
"""Function from an event as a request has it to the event; raises InvalidRequest."""


class Fault(NamedTuple):
    """What is wrong with a row.

    Attributes:
        column: column of the file; empty where the row as a whole is wrong.
        field: field of the event type; empty where the row as a whole is wrong.
        reason: what the value must be, or what is wrong with it.
    """

    column: str
    field: str
    reason: str


class BadRow(Exception):
    """A row that is no event.

    Attributes:
        faults: what is wrong, at least one.
    """

    def __init__(self, *faults: Fault) -> None:
        super().__init__(faults)
        self.faults = faults


class RowReader:
    """Reads rows as events.

    Args:
        event_type: event type of the events.
        columns: columns of the file.
        column_of: mapping without faults.
        zone: zone of times that are written without one; None refuses them.
        validate: validator of the tenant's events.
    """

    def __init__(
        self,
        event_type: EventType,
        columns: Sequence[str],
        column_of: ColumnOf,
        zone: ZoneInfo | None,
        validate: Validate,
    ) -> None:
        self._column_of = column_of
        self._validate = validate
        self._cells: list[tuple[str, int, ReadCell]] = [
            (name, columns.index(column), cell_reader(event_type.kept[name], zone))
            for name, column in column_of.items()
            if name != EXTERNAL_ID
        ]
        own_id = column_of.get(EXTERNAL_ID)
        self._id_place = None if own_id is None else columns.index(own_id)

    def read(self, row: Row, derived_id: str) -> AnyEvent:
        """Return the event of a row.

        Args:
            row: row with the cells of every column.
            derived_id: `external_id` of a row that has none.

        Raises:
            BadRow: it is no event, or an error that nobody foresaw: it holds up no other row.
        """
        try:
            return self._read(row, derived_id)
        except BadRow:
            raise
        except Exception as error:
            logger.exception("row %d of an upload cannot be read", row.number)
            raise BadRow(Fault("", "", "cannot be read; the service's log has more")) from error

    def own_id(self, row: Row) -> str | None:
        """Return the `external_id` that a row has, or None."""
        if self._id_place is None:
            return None
        cell: str = row.cells[self._id_place]
        return None if is_missing_word(cell) else cell

    def _read(self, row: Row, derived_id: str) -> AnyEvent:
        if row.fault is not None:
            raise BadRow(Fault("", "", row.fault))
        body: dict[str, Any] = {EXTERNAL_ID: self.own_id(row) or derived_id}
        faults: dict[str, str] = {}
        for name, place, read in self._cells:
            cell = row.cells[place]
            try:
                if _has_other_bytes(cell):
                    raise BadCell("is not UTF-8 text; save the file as UTF-8")
                body[name] = read(cell)
            except BadCell as error:
                faults[name] = str(error)
        try:
            event = self._validate({k: v for k, v in body.items() if v is not None})
        except InvalidRequest as error:
            for one in error.errors:
                faults.setdefault(one.field, one.message)
        if faults:
            raise BadRow(*(self._fault(name, reason) for name, reason in faults.items()))
        return event

    def _fault(self, name: str, reason: str) -> Fault:
        return Fault(self._column_of.get(name, ""), name, reason)


def _has_other_bytes(cell: str) -> bool:
    """Return whether a cell has bytes that are not UTF-8, which reading keeps as surrogates."""
    return not cell.isascii() and any("\ud800" <= c <= "\udfff" for c in cell)
