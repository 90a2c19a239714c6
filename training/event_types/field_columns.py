"""Read a column of a file as a field of an event type, and tell which cells are not valid."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from scoring.columns import BoolArray, Column, TextColumn
from scoring.event_type.fields import Field
from scoring.event_type.limits import (
    MAX_CATEGORY_LENGTH,
    MAX_ENTITY_LENGTH,
    MAX_INTEGER,
    MAX_TEXT_LENGTH,
)
from scoring.event_type.values import ENTITY_RULE, TEXT_RULE, category_rule, number_rule
from scoring.event_type.visible_text import is_trimmed, is_visible
from training.data import columns as arrow_columns
from training.errors import TrainingError
from training.event_types.cells import (
    Int64Array,
    booleans,
    can_be_texts,
    is_missing,
    numbers,
    texts,
)
from training.event_types.times import times


@dataclass(frozen=True, slots=True)
class ReadField:
    """A field of n events that was read.

    Attributes:
        column: values, missing where a cell is not valid.
        is_bad: which cells are not valid, bool (n,).
        rule: what a cell must be, as a phrase.
        us: microseconds since 1970 UTC of a timestamp, int64 (n,).
    """

    column: Column
    is_bad: BoolArray
    rule: str
    us: Int64Array | None = None


def read_field(field: Field, column: pa.ChunkedArray, source: str) -> ReadField:
    """Read a field, with the rules of `scoring.event_type.validation` a column at a time.

    Args:
        field: field of a valid event type, not ignored.
        column: its n cells.
        source: name of the file in messages.

    Raises:
        TrainingError: the column has a type that the field cannot have, or is not UTF-8 text.
    """
    reader, fits = _READERS[field.kind]
    if not fits(column.type):
        raise TrainingError(
            f"{source}: the column {field.name} has the type {column.type}, which cannot be a "
            f"{field.kind}."
        )
    try:
        missing = is_missing(column, but=field.values or ())
        read = reader(field, column, missing)
    except pa.ArrowInvalid as error:
        if not arrow_columns.is_text(column.type):
            raise
        raise TrainingError(f"{source}: the column {field.name} is not UTF-8 text.") from error
    if field.optional:
        return read
    return ReadField(read.column, read.is_bad | missing, read.rule, read.us)


def _number(field: Field, column: pa.ChunkedArray, missing: BoolArray) -> ReadField:
    values = numbers(column)
    values[missing] = np.nan
    low = -np.inf if field.minimum is None else field.minimum
    high = np.inf if field.maximum is None else field.maximum
    is_good = np.isfinite(values) & (values >= low) & (values <= high)
    if field.kind == "integer":
        is_good &= (values == np.floor(values)) & (np.abs(values) <= MAX_INTEGER)
    return ReadField(values, ~(is_good | missing), number_rule(field))


def _boolean(field: Field, column: pa.ChunkedArray, missing: BoolArray) -> ReadField:
    del field
    values = booleans(column)
    values[missing] = np.nan
    return ReadField(values, np.isnan(values) & ~missing, "true or false, 1 or 0, yes or no")


def _timestamp(field: Field, column: pa.ChunkedArray, missing: BoolArray) -> ReadField:
    del field
    found = times(column, missing)
    is_good = found.is_time & (found.us >= 0)
    seconds = np.where(is_good, found.us / 1e6, np.nan)
    rule = (
        "a time since 1970 with the year first, such as 2026-05-01T09:30:00Z, or a number since "
        "1970"
    )
    return ReadField(seconds, ~(is_good | missing), rule, found.us)


def _category(field: Field, column: pa.ChunkedArray, missing: BoolArray) -> ReadField:
    if field.values is not None:
        return _text_of(
            column, missing, set(field.values).__contains__, category_rule(field.values)
        )
    return _text_of(column, missing, _is_category, category_rule(None))


def _entity(field: Field, column: pa.ChunkedArray, missing: BoolArray) -> ReadField:
    del field
    return _text_of(column, missing, _is_entity, ENTITY_RULE)


def _text(field: Field, column: pa.ChunkedArray, missing: BoolArray) -> ReadField:
    del field
    return _text_of(column, missing, _is_text, TEXT_RULE)


def _text_of(
    column: pa.ChunkedArray, missing: BoolArray, is_valid: Callable[[str], bool], rule: str
) -> ReadField:
    found = texts(column, missing)
    is_good = np.fromiter(map(is_valid, found.values), np.bool_, len(found.values))
    is_bad = ~np.append(is_good, True)[found.codes]
    return ReadField(found, is_bad, rule)


def _is_category(text: str) -> bool:
    return 1 <= len(text) <= MAX_CATEGORY_LENGTH and is_visible(text)


def _is_entity(text: str) -> bool:
    return 1 <= len(text) <= MAX_ENTITY_LENGTH and is_visible(text) and is_trimmed(text)


def _is_text(text: str) -> bool:
    return len(text) <= MAX_TEXT_LENGTH and "\0" not in text


def _can_be_time(kind: pa.DataType) -> bool:
    is_time = pa.types.is_timestamp(kind) or pa.types.is_date(kind)
    return is_time or arrow_columns.can_be_numbers(kind)


_READERS: dict[
    str,
    tuple[Callable[[Field, pa.ChunkedArray, BoolArray], ReadField], Callable[[pa.DataType], bool]],
] = {
    "number": (_number, arrow_columns.can_be_numbers),
    "integer": (_number, arrow_columns.can_be_numbers),
    "boolean": (_boolean, can_be_texts),
    "timestamp": (_timestamp, _can_be_time),
    "category": (_category, can_be_texts),
    "entity": (_entity, can_be_texts),
    "text": (_text, can_be_texts),
}
"""Reader of each kind, and the types of columns that it reads."""


def all_missing(field: Field, n: int) -> Column:
    """Return the column of a field that a file of n events lacks."""
    if field.kind in ("category", "entity", "text"):
        return TextColumn(np.full(n, -1, dtype=np.int64), ())
    return np.full(n, np.nan)
