"""Cases as CSV that a spreadsheet opens without running anything.

A cell that begins with `=` or the like is a formula to a spreadsheet, whatever its origin: an
account, an external_id, a rationale. Such text gets an apostrophe in front, and all text is quoted,
so that none spills into another cell where the separator is a semicolon
(https://owasp.org/www-community/attacks/CSV_Injection). Numbers are written as numbers, negative
ones too.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from persistence.review.cases import Case
from scoring.event_type.fields import EventType
from scoring.prediction import Prediction
from scoring.tables.formulas import defused

Column = tuple[str, Callable[[Case], Any]]

_FIRST: tuple[Column, ...] = (
    ("transaction_id", lambda case: case.decided.transaction_id),
    ("prediction_id", lambda case: case.decided.prediction_id),
    ("decided_at", lambda case: case.decided.decided_at),
    ("external_id", lambda case: case.decided.transaction.external_id),
)
_LAST: tuple[Column, ...] = (
    ("score", lambda case: case.decided.prediction.score),
    ("risk_band", lambda case: case.decided.prediction.risk_band),
    ("decision", lambda case: case.decided.prediction.decision),
    ("threshold", lambda case: case.decided.prediction.threshold),
    ("model", lambda case: case.decided.prediction.model.name),
    ("model_version", lambda case: case.decided.prediction.model.version),
    ("feedback", lambda case: case.feedback[0].label if case.feedback else ""),
    ("rationale", lambda case: case.feedback[0].rationale if case.feedback else ""),
    ("approval_probability", lambda case: case.decided.prediction.approval_probability),
    ("decided_by", lambda case: _decided_by(case.decided.prediction)),
)


def _decided_by(prediction: Prediction) -> str:
    """Return what decided, such as `rule 12 version 3`; empty without rules and lists."""
    return "" if prediction.ruling is None else prediction.ruling.verdict.decided_by.words


class CsvExport:
    """The columns of an export: the decision's around those of the tenant's fields.

    Args:
        event_type: event type whose fields are columns; a case of another one has its values of
            the fields with the same names. A field with the name of another column is `event.` and
            its name.
    """

    def __init__(self, event_type: EventType) -> None:
        self._fields = tuple(event_type.kept)
        first, last = [name for name, _ in _FIRST], [name for name, _ in _LAST]
        taken = {*first, *last}
        fields = [f"event.{name}" if name in taken else name for name in self._fields]
        self.names = (*first, *fields, *last)

    def header(self) -> bytes:
        """Return the line of the columns' names."""
        return _write([[_cell(name) for name in self.names]])

    def lines(self, cases: Sequence[Case]) -> bytes:
        """Return a line of CSV a case, UTF-8 (RFC 4180)."""
        return _write([self._row(case) for case in cases])

    def more(self, cursor: str) -> bytes:
        """Return the line after the last row of an export that stopped at its limit.

        It has as many cells as a row, so that a strict reader takes the file; the first is no UUID.
        """
        first = f"more rows follow: repeat with cursor={cursor}"
        return _write([[first, *[""] * (len(self.names) - 1)]])

    def gone(self, rows: int) -> bytes:
        """Return the line after the last row of an export whose rows were removed meanwhile.

        Args:
            rows: number of those rows.
        """
        first = f"rows removed: {rows} by retention, while this export was sent"
        return _write([[first, *[""] * (len(self.names) - 1)]])

    def _row(self, case: Case) -> list[str | float]:
        submitted = case.decided.transaction.document()
        return [
            *(_cell(value(case)) for _, value in _FIRST),
            *(_cell(submitted.get(name)) for name in self._fields),
            *(_cell(value(case)) for _, value in _LAST),
        ]


def _cell(value: Any) -> str | float:  # noqa: ANN401 - whatever a column holds
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return value
    text = value.isoformat() if isinstance(value, datetime) else str(value)
    return defused(text)


def _write(rows: Sequence[Sequence[object]]) -> bytes:
    lines = io.StringIO(newline="")
    csv.writer(lines, quoting=csv.QUOTE_NONNUMERIC).writerows(rows)
    return lines.getvalue().encode()
