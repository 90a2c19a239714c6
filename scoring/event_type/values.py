"""The values of one field: what each kind accepts, and the form in which it is kept."""

from __future__ import annotations

import math
import re
from collections.abc import Callable

from scoring.event_type.fields import Field
from scoring.event_type.limits import (
    MAX_CATEGORY_LENGTH,
    MAX_ENTITY_LENGTH,
    MAX_INTEGER,
    MAX_TEXT_LENGTH,
)
from scoring.event_type.timestamps import Timestamp, parse_timestamp
from scoring.event_type.visible_text import is_trimmed, is_visible

Value = float | int | bool | str | Timestamp
Read = Callable[[object], Value]
"""Function from a value of JSON to the value that is kept; raises InvalidValue."""

_MAX_LISTED_CHARACTERS = 200
_NOT_TEXT = re.compile("[\0\ud800-\udfff]")


class InvalidValue(ValueError):
    """A value that a field does not accept; the message says what the field must be."""


def value_reader(field: Field) -> Read:
    """Return the function that reads the values of a field.

    number: a finite JSON number, kept as a float. integer: a JSON number without a decimal point,
    within ±MAX_INTEGER. boolean: true or false. category: 1 to MAX_CATEGORY_LENGTH visible
    characters, one of the list where it is closed. timestamp: RFC 3339 text since 1970, kept as
    text and microseconds. entity: 1 to MAX_ENTITY_LENGTH visible characters without a space at the
    ends, or an integer within ±MAX_INTEGER, kept as its digits. text: at most MAX_TEXT_LENGTH
    characters without NUL.

    Args:
        field: field of a valid event type, not ignored.
    """
    match field.kind:
        case "number":
            return _number(field)
        case "integer":
            return _integer(field)
        case "boolean":
            return _boolean
        case "category":
            return _open_category if field.values is None else _closed_category(field.values)
        case "timestamp":
            return _timestamp
        case "entity":
            return _entity
        case "text":
            return _text


def number_rule(field: Field) -> str:
    """Return what a value of a number or integer field must be, as a phrase."""
    noun = "a whole number" if field.kind == "integer" else "a finite number"
    low, high = (_written(bound) for bound in (field.minimum, field.maximum))
    if low and high:
        return f"{noun} from {low} to {high}"
    if low:
        return f"{noun} of at least {low}"
    if high:
        return f"{noun} of at most {high}"
    return f"{noun} within ±{MAX_INTEGER}" if field.kind == "integer" else noun


def category_rule(values: tuple[str, ...] | None) -> str:
    """Return what a value of a category must be, as a phrase."""
    if values is None:
        return f"text of 1 to {MAX_CATEGORY_LENGTH} visible characters"
    listed = ", ".join(values)
    if len(listed) > _MAX_LISTED_CHARACTERS:
        return f"one of the {len(values):,} values of the event type"
    return f"one of {listed}"


TIMESTAMP_RULE = "a time of RFC 3339 with its zone, such as 2026-05-01T09:30:00Z"
ENTITY_RULE = (
    f"1 to {MAX_ENTITY_LENGTH} visible characters without a space at the ends, or a whole number "
    f"within ±{MAX_INTEGER}"
)
TEXT_RULE = f"text of at most {MAX_TEXT_LENGTH:,} characters without NUL"


def _written(bound: float | None) -> str:
    if bound is None:
        return ""
    is_short = bound == int(bound) and abs(bound) <= 1e15
    return str(int(bound)) if is_short else repr(float(bound))


def _number(field: Field) -> Read:
    low = -math.inf if field.minimum is None else field.minimum
    high = math.inf if field.maximum is None else field.maximum
    message = f"must be {number_rule(field)}"

    def read(value: object) -> float:
        if type(value) is float or type(value) is int:
            try:
                number = float(value)
            except OverflowError:
                raise InvalidValue(message) from None
            # False for NaN and for infinity, whatever the bounds are.
            if low <= number <= high and number - number == 0:
                return number
        raise InvalidValue(message)

    return read


def _integer(field: Field) -> Read:
    low = -MAX_INTEGER if field.minimum is None else max(field.minimum, -MAX_INTEGER)
    high = MAX_INTEGER if field.maximum is None else min(field.maximum, MAX_INTEGER)
    message = f"must be {number_rule(field)}"

    def read(value: object) -> int:
        if type(value) is int and low <= value <= high:
            return value
        raise InvalidValue(message)

    return read


def _boolean(value: object) -> bool:
    if type(value) is bool:
        return value
    raise InvalidValue("must be true or false")


def _closed_category(values: tuple[str, ...]) -> Read:
    # The stored strings are returned, so that a million events share them.
    known = {value: value for value in values}
    message = f"must be {category_rule(values)}"

    def read(value: object) -> str:
        found = known.get(value) if type(value) is str else None
        if found is None:
            raise InvalidValue(message)
        return found

    return read


def _open_category(value: object) -> str:
    if type(value) is str and 1 <= len(value) <= MAX_CATEGORY_LENGTH and is_visible(value):
        return value
    raise InvalidValue(f"must be {category_rule(None)}")


def _timestamp(value: object) -> Timestamp:
    timestamp = parse_timestamp(value) if type(value) is str else None
    if timestamp is None:
        raise InvalidValue(f"must be {TIMESTAMP_RULE}")
    if timestamp.us < 0:
        raise InvalidValue("must not be before 1970")
    return timestamp


def _entity(value: object) -> str:
    if type(value) is str:
        if 1 <= len(value) <= MAX_ENTITY_LENGTH and is_visible(value) and is_trimmed(value):
            return value
    elif type(value) is int and -MAX_INTEGER <= value <= MAX_INTEGER:
        return str(value)
    raise InvalidValue(f"must be {ENTITY_RULE}")


def _text(value: object) -> str:
    if type(value) is str and len(value) <= MAX_TEXT_LENGTH and not _NOT_TEXT.search(value):
        return value
    raise InvalidValue(f"must be {TEXT_RULE}")
