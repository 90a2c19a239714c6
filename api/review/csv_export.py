"""Cases as CSV that a spreadsheet opens without running anything.

A cell that begins with one of FORMULA_STARTS is a formula to a spreadsheet, whatever its origin: an
account, an external_id, a rationale. Such text gets an apostrophe in front, and all text is quoted,
so that none spills into another cell where the separator is a semicolon
(https://owasp.org/www-community/attacks/CSV_Injection). Numbers are written as numbers, negative
ones too.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from typing import Any

from persistence.review.cases import Case

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # noqa: RUF001
"""The last four are the full-width forms, which spreadsheets of East Asian locales take too."""

_COLUMNS: tuple[tuple[str, Callable[[Case], Any]], ...] = (
    ("transaction_id", lambda case: case.decided.transaction_id),
    ("prediction_id", lambda case: case.decided.prediction_id),
    ("decided_at", lambda case: case.decided.decided_at),
    ("external_id", lambda case: case.decided.transaction.external_id),
    ("step", lambda case: case.decided.transaction.step),
    ("type", lambda case: case.decided.transaction.type),
    ("amount", lambda case: case.decided.transaction.amount),
    ("nameOrig", lambda case: case.decided.transaction.name_orig),
    ("oldbalanceOrg", lambda case: case.decided.transaction.oldbalance_org),
    ("nameDest", lambda case: case.decided.transaction.name_dest),
    ("oldbalanceDest", lambda case: case.decided.transaction.oldbalance_dest),
    ("score", lambda case: case.decided.prediction.score),
    ("risk_band", lambda case: case.decided.prediction.risk_band),
    ("decision", lambda case: case.decided.prediction.decision),
    ("threshold", lambda case: case.decided.prediction.threshold),
    ("model", lambda case: case.decided.prediction.model.name),
    ("model_version", lambda case: case.decided.prediction.model.version),
    ("feedback", lambda case: case.feedback[0].label if case.feedback else ""),
    ("rationale", lambda case: case.feedback[0].rationale if case.feedback else ""),
)
CSV_COLUMNS = tuple(name for name, _ in _COLUMNS)
_OTHER_COLUMNS = len(CSV_COLUMNS) - 1


def csv_lines(cases: Sequence[Case]) -> bytes:
    """Return a line of CSV a case, UTF-8 (RFC 4180)."""
    return _write([[_cell(value(case)) for _, value in _COLUMNS] for case in cases])


def csv_header() -> bytes:
    """Return the line of the columns' names."""
    return _write([CSV_COLUMNS])


def csv_more(cursor: str) -> bytes:
    """Return the line after the last row of an export that stopped at its limit.

    It has as many cells as a row, so that a strict reader takes the file; the first is no UUID.
    """
    return _write([[f"more rows follow: repeat with cursor={cursor}", *[""] * _OTHER_COLUMNS]])


def _cell(value: Any) -> str | float:  # noqa: ANN401 - whatever a column holds
    if value is None:
        return ""
    if isinstance(value, int | float):
        return value
    text = str(value)
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text


def _write(rows: Sequence[Sequence[object]]) -> bytes:
    lines = io.StringIO(newline="")
    csv.writer(lines, quoting=csv.QUOTE_NONNUMERIC).writerows(rows)
    return lines.getvalue().encode()
