"""One row of a file of labels: its columns, and what it must hold."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from persistence.labels.writer import NewLabel
from scoring.external_id import EXTERNAL_ID_PATTERN
from scoring.labels import SOURCES, LabelValue, time_fault
from scoring.transaction import MAX_AMOUNT

IDS = ("external_id", "transaction_id")
NEEDED = ("label", "source", "occurred_at")
COLUMNS = (*IDS, *NEEDED, "amount_lost", "reversed")
"""Columns that are read, in the order of the cells of a row. A file has one of IDS at least."""

_EXTERNAL_ID = re.compile(EXTERNAL_ID_PATTERN)
_LABELS = ("fraud", "legitimate")
_BOOLEANS = {"": False, "false": False, "0": False, "true": True, "1": True}


class BadRow(Exception):
    """A row that cannot be imported; the message names the column."""


def parse_row(cells: Sequence[Any], now: datetime) -> NewLabel:
    """Return the label of a row.

    Args:
        cells: text, or values of Parquet, in the order of COLUMNS; None or empty where missing.
        now: current time, an aware datetime.

    Raises:
        BadRow: a cell is missing or not valid.
    """
    external_id, transaction_id, label, source = map(_text, cells[:4])
    if bool(external_id) is bool(transaction_id):
        raise BadRow("must have external_id or transaction_id, one of the two")
    if external_id and not _EXTERNAL_ID.fullmatch(external_id):
        raise BadRow("external_id must be 1 to 128 printable ASCII characters without spaces")
    if label not in _LABELS:
        raise BadRow(f"label must be {' or '.join(_LABELS)}")
    if source not in SOURCES:
        raise BadRow(f"source must be one of {', '.join(SOURCES)}")
    return NewLabel(
        external_id or None,
        _uuid(transaction_id) if transaction_id else None,
        cast("LabelValue", label),
        source,
        _time(cells[4], now),
        _amount(cells[5]),
        _boolean(cells[6]),
    )


def _text(cell: object) -> str:
    return "" if cell is None else str(cell).strip()


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise BadRow("transaction_id must be a UUID") from error


def _time(cell: object, now: datetime) -> datetime:
    moment = cell
    if not isinstance(moment, datetime):
        try:
            moment = datetime.fromisoformat(_text(cell))
        except ValueError as error:
            raise BadRow("occurred_at must be a time such as 2026-01-31T12:00:00Z") from error
    if fault := time_fault(moment, now):
        raise BadRow(f"occurred_at {fault}")
    return moment


def _amount(cell: object) -> float | None:
    text = _text(cell)
    if not text:
        return None
    try:
        amount = float(text.replace("_", "?"))
    except ValueError as error:
        raise BadRow("amount_lost must be a number, with a point and without separators") from error
    if not 0 <= amount <= MAX_AMOUNT:
        raise BadRow(f"amount_lost must be from 0 to {MAX_AMOUNT:.0f}")
    return amount


def _boolean(cell: object) -> bool:
    found = _BOOLEANS.get(_text(cell).lower())
    if found is None:
        raise BadRow("reversed must be true, false or empty")
    return found
