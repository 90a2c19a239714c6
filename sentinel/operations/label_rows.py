"""One row of a file of labels: its columns, and what it must hold."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from persistence.labels.writer import NewLabel
from scoring.external_id import EXTERNAL_ID_PATTERN
from scoring.labels import SOURCES, time_fault
from scoring.tables.missing_words import is_missing_word
from scoring.transaction import MAX_AMOUNT

IDS = ("external_id", "transaction_id")
NEEDED = ("label", "source", "occurred_at")
COLUMNS = (*IDS, *NEEDED, "amount_lost", "reversed")
"""Columns that are read, in the order of the cells of a row. A file has one of IDS at least."""

_EXTERNAL_ID = re.compile(EXTERNAL_ID_PATTERN)
_LABELS = ("fraud", "legitimate")
_BOOLEANS = {"": False, "false": False, "0": False, "true": True, "1": True}


class BadRow(Exception):
    """A row that cannot be imported; the message names each column that is not valid."""


def parse_row(cells: Sequence[Any], now: datetime) -> NewLabel:
    """Return the label of a row.

    Args:
        cells: text, or values of Parquet, in the order of COLUMNS; None, empty or another of
            MISSING_WORDS where missing.
        now: current time, an aware datetime.

    Raises:
        BadRow: a cell is missing or not valid.
    """
    faults: list[str] = []

    def valid(read: Callable[[Any], Any], cell: object) -> Any:  # noqa: ANN401 - what `read` returns
        try:
            return read(cell)
        except _BadCell as error:
            faults.append(str(error))
            return None

    external_id, transaction_id = map(_optional, cells[:2])
    if bool(external_id) is bool(transaction_id):
        faults.append("must have external_id or transaction_id, one of the two")
    label = NewLabel(
        valid(_external_id, external_id),
        valid(_uuid, transaction_id),
        valid(_label, cells[2]),
        valid(_source, cells[3]),
        valid(partial(_time, now=now), cells[4]),
        valid(_amount, cells[5]),
        valid(_boolean, cells[6]),
    )
    if faults:
        raise BadRow("; ".join(faults))
    return label


class _BadCell(Exception):
    """A cell that is not valid; the message names its column."""


def _text(cell: object) -> str:
    return "" if cell is None else str(cell).strip()


def _optional(cell: object) -> str:
    """Return the text of a cell that may be missing, which is then empty."""
    text = _text(cell)
    return "" if is_missing_word(text) else text


def _external_id(text: str) -> str | None:
    if text and not _EXTERNAL_ID.fullmatch(text):
        raise _BadCell("external_id must be 1 to 128 printable ASCII characters without spaces")
    return text or None


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text) if text else None
    except ValueError as error:
        raise _BadCell("transaction_id must be a UUID") from error


def _label(cell: object) -> str:
    if (label := _text(cell)) not in _LABELS:
        raise _BadCell(f"label must be {' or '.join(_LABELS)}")
    return label


def _source(cell: object) -> str:
    if (source := _text(cell)) not in SOURCES:
        raise _BadCell(f"source must be one of {', '.join(SOURCES)}")
    return source


def _time(cell: object, now: datetime) -> datetime:
    moment = cell
    if not isinstance(moment, datetime):
        try:
            moment = datetime.fromisoformat(_text(cell))
        except ValueError as error:
            raise _BadCell("occurred_at must be a time such as 2026-01-31T12:00:00Z") from error
    if fault := time_fault(moment, now):
        raise _BadCell(f"occurred_at {fault}")
    return moment


def _amount(cell: object) -> float | None:
    text = _optional(cell)
    if not text:
        return None
    try:
        amount = float(text.replace("_", "?"))
    except ValueError as error:
        raise _BadCell(
            "amount_lost must be a number, with a point and without separators"
        ) from error
    if not 0 <= amount <= MAX_AMOUNT:
        raise _BadCell(f"amount_lost must be from 0 to {MAX_AMOUNT:.0f}")
    return amount


def _boolean(cell: object) -> bool:
    found = _BOOLEANS.get(_optional(cell).lower())
    if found is None:
        raise _BadCell("reversed must be true, false or empty")
    return found
