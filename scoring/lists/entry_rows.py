"""One entry of a list as people write it: in a row of a file, or on the command line."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

from scoring.event_type.limits import MAX_ENTITY_LENGTH, MAX_INTEGER
from scoring.event_type.values import ENTITY_RULE
from scoring.event_type.visible_text import is_trimmed, is_visible
from scoring.lists.entity_list import MAX_REASON_LENGTH
from scoring.tables.missing_words import is_missing_word

COLUMNS = ("value", "reason", "expires_at")
"""Columns that are read, in the order of the cells of a row. A file has `value` at least."""

_NOT_TEXT = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
"""Control characters but tabs and line breaks, and halves of a character."""


class NewEntry(NamedTuple):
    """An entity that is put into a list.

    Attributes:
        value: the entity, as events have it.
        reason: sentence on why.
        expires_at: time from which on it does not count; None: it stays.
    """

    value: str
    reason: str
    expires_at: datetime | None = None


class BadEntry(Exception):
    """A row that is no entry.

    Attributes:
        faults: column and what is wrong with its cell, as a phrase; of the row as a whole the
            column is empty.
    """

    def __init__(self, *faults: tuple[str, str]) -> None:
        super().__init__("; ".join(f"{column} {fault}".strip() for column, fault in faults))
        self.faults = faults


@dataclass(frozen=True, slots=True)
class EntryDefaults:
    """What the entries have that do not say otherwise.

    Attributes:
        reason: sentence on why; None: each row has its own.
        expires_at: time from which on they do not count; None: they stay.
    """

    reason: str | None = None
    expires_at: datetime | None = None


def parse_entry(cells: Sequence[Any], defaults: EntryDefaults, now: datetime) -> NewEntry:
    """Return the entry of a row.

    Args:
        cells: text, or values of Parquet, in the order of COLUMNS; None, empty or another of
            MISSING_WORDS where missing.
        defaults: what stands in for a missing reason and a missing `expires_at`.
        now: current time, an aware datetime.

    Raises:
        BadEntry: a cell is missing or not valid.
    """
    faults: list[tuple[str, str]] = []
    value = _text(cells[0])
    if (fault := _cell_fault(cells[0]) or entity_fault(value)) is not None:
        faults.append(("value", fault))
    reason = _text(cells[1]) or defaults.reason
    if reason is None:
        faults.append(("reason", "is missing"))
    elif (fault := reason_fault(reason)) is not None:
        faults.append(("reason", fault))
    expires_at = defaults.expires_at
    if isinstance(cells[2], datetime) or _text(cells[2]):
        expires_at = _time(cells[2])
        if (fault := _expiry_fault(expires_at, now)) is not None:
            faults.append(("expires_at", fault))
    if faults or reason is None:
        raise BadEntry(*faults)
    return NewEntry(value, reason, expires_at)


def parse_value(cells: Sequence[Any]) -> str:
    """Return the entity of a row, whatever its other cells are.

    Args:
        cells: as of `parse_entry`.

    Raises:
        BadEntry: the cell is missing or no entity.
    """
    value = _text(cells[0])
    if (fault := _cell_fault(cells[0]) or entity_fault(value)) is not None:
        raise BadEntry(("value", fault))
    return value


def entity_fault(value: str) -> str | None:
    """Return what an entity must be, as a phrase; None where it is one."""
    if not value:
        return "is missing"
    if len(value) <= MAX_ENTITY_LENGTH and is_visible(value) and is_trimmed(value):
        return None
    return f"must be {ENTITY_RULE}"


def reason_fault(reason: str) -> str | None:
    """Return what a reason must be, as a phrase; None where it is one."""
    if 1 <= len(reason) <= MAX_REASON_LENGTH and not _NOT_TEXT.search(reason):
        return None
    return f"must be 1 to {MAX_REASON_LENGTH} characters of text"


def _text(cell: object) -> str:
    """Return the text of a cell, which is empty where it is missing."""
    if isinstance(cell, bytes):  # Impala and Spark write texts so
        cell = cell.decode(errors="surrogateescape")
    text = "" if cell is None else str(cell).strip()
    return "" if is_missing_word(text) else text


def _cell_fault(cell: object) -> str | None:
    is_whole = isinstance(cell, int) and not isinstance(cell, bool) and abs(cell) <= MAX_INTEGER
    if cell is None or is_whole or isinstance(cell, str | bytes):
        return None
    # A float has lost the digits of a long number, and 7.0 is not the entity 7.
    return f"must be {ENTITY_RULE}"


def _time(cell: object) -> datetime | None:
    """Return the time of a cell, in UTC where it has an offset; None where it is none."""
    try:
        moment = cell if isinstance(cell, datetime) else datetime.fromisoformat(_text(cell))
        return moment.astimezone(UTC) if moment.tzinfo else moment
    except (ValueError, OverflowError):
        return None


def _expiry_fault(moment: datetime | None, now: datetime) -> str | None:
    if moment is None:
        return "must be a time such as 2026-01-31T12:00:00Z"
    if moment.tzinfo is None:
        return "must have an offset, such as Z or +01:00"
    return None if moment > now else "must be later than now"
