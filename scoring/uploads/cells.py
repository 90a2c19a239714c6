"""What a cell of an uploaded file means as a value of a field.

A value is what the file says or none: nothing is guessed. A number with a decimal comma, a time
without a zone and a number that float64 would change are refused with a reason.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal, InvalidOperation
from zoneinfo import ZoneInfo

from scoring.event_type.fields import Field
from scoring.event_type.timestamps import parse_timestamp
from scoring.tables.missing_words import is_missing_word
from scoring.tables.written_numbers import BOOLEANS, is_number

ReadCell = Callable[[str], object]
"""Function from a cell to a value of JSON, None where it is missing; raises BadCell. A cell that is
no such value at all is returned as it is: the event type's rule for the field then refuses it."""

_DECIMAL_COMMA = re.compile(r"[+-]?(\d+|\d{1,3}([.' \u00a0\u202f]\d{3})+),\d+")
_THOUSANDS = re.compile(r"[+-]?\d{1,3}([,' \u00a0\u202f]\d{3})+(\.\d+)?")
_INTEGER = re.compile(r"([+-]?\d{1,18})(\.0*)?", re.ASCII)
_TIME = re.compile(
    r"(?P<day>\d{4}-\d\d-\d\d)[Tt ](?P<clock>\d\d:\d\d)(?P<seconds>:\d\d(\.\d{1,9})?)?"
    r" ?(?P<zone>[Zz]|UTC|[+-]\d\d(:?\d\d)?)?",
    re.ASCII,
)
_EXACT_DIGITS = 15
"""Decimal digits that float64 always keeps."""
_LEAST_EXACT = sys.float_info.min
"""Distance from zero below which float64 keeps fewer digits."""
_NOT_ZERO = re.compile(r"[^eE]*[1-9]", re.ASCII)
"""Begin of a number that is not zero, whatever its exponent."""


class BadCell(ValueError):
    """A cell that has no value of the field; the message says what is wrong with it."""


def cell_reader(field: Field, zone: ZoneInfo | None) -> ReadCell:
    """Return the function that reads the cells of a field.

    Args:
        field: field of a valid event type, not ignored.
        zone: zone of times that are written without one; None refuses them.
    """
    match field.kind:
        case "number":
            return _or_missing(_number)
        case "integer":
            return _or_missing(_integer)
        case "boolean":
            return _or_missing(lambda cell: BOOLEANS.get(cell.lower(), cell))
        case "timestamp":
            return _or_missing(lambda cell: _time(cell, zone))
        case "category":
            return _text_reader(frozenset(field.values or ()))
        case "entity":
            return _text_reader(frozenset())
        case "text":
            return lambda cell: cell or None


def _or_missing(read: Callable[[str], object]) -> ReadCell:
    return lambda cell: None if is_missing_word(cell) else read(cell.strip(" "))


def _text_reader(words: frozenset[str]) -> ReadCell:
    """Return the reader of texts, of which `words` are values also where they mean missing."""
    return lambda cell: None if is_missing_word(cell) and cell not in words else cell


def _number(cell: str) -> object:
    if not is_number(cell):
        if _DECIMAL_COMMA.fullmatch(cell) and not _is_like_thousands(cell):
            raise BadCell("has a decimal comma; write a decimal point, such as 12.50")
        if _THOUSANDS.fullmatch(cell):
            raise BadCell(
                "has a comma or a space among its digits, which is not guessed at; write digits "
                "and a decimal point only"
            )
        return cell
    value = float(cell)
    has_many_digits = sum(c.isdigit() for c in cell) > _EXACT_DIGITS
    is_tiny = abs(value) < _LEAST_EXACT and _NOT_ZERO.match(cell) is not None
    if (has_many_digits or is_tiny) and value - value == 0 and not _is_kept(cell, value):
        what = "is closer to zero than is" if is_tiny else "has more digits than are"
        raise BadCell(f"{what} stored: it would become {value!r}")
    return value


def _is_kept(cell: str, value: float) -> bool:
    """Return whether a float is the number that a cell has, or is written like it."""
    try:
        written = Decimal(cell)
    except InvalidOperation:  # an exponent beyond any number's, which only zero keeps
        return _NOT_ZERO.match(cell) is None
    return written in (Decimal(repr(value)), Decimal(value))


def _is_like_thousands(cell: str) -> bool:
    """Return whether the comma may as well separate thousands, such as in 1,234."""
    return _THOUSANDS.fullmatch(cell) is not None


def _integer(cell: str) -> object:
    found = _INTEGER.fullmatch(cell)
    return int(found[1]) if found else cell


def _time(cell: str, zone: ZoneInfo | None) -> object:
    if parse_timestamp(cell) is not None:
        return cell
    found = _TIME.fullmatch(cell)
    if found is None:
        return cell
    local = f"{found['day']}T{found['clock']}{found['seconds'] or ':00'}"
    written = found["zone"]
    if written is not None:
        return local + _offset(written)
    if zone is None:
        raise BadCell(
            "has no time zone; choose what times without a zone are, or write it, such as "
            "2026-05-01T09:30:00Z"
        )
    return local + _offset_at(local, zone)


def _offset(zone: str) -> str:
    if zone in ("Z", "z", "UTC"):
        return "Z"
    digits = zone[1:].replace(":", "").ljust(4, "0")
    return f"{zone[0]}{digits[:2]}:{digits[2:]}"


def _offset_at(local: str, zone: ZoneInfo) -> str:
    """Return the offset from UTC of a time that a clock in a zone shows.

    Raises:
        BadCell: the clock shows the time twice or never, or there is no such day.
    """
    try:
        moment = datetime.fromisoformat(local)
    except ValueError:
        return "Z"  # the field's rule refuses it
    first, second = (moment.replace(tzinfo=zone, fold=fold).utcoffset() for fold in (0, 1))
    if first != second or first is None:
        raise BadCell(
            "is shown twice or never by the clock, at a change of summer time; write it with its "
            "zone"
        )
    minutes = round(first.total_seconds() / 60)
    if minutes == 0:
        return "Z"
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"
