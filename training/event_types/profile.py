"""What the cells of one column of a file are."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from scoring.columns import BoolArray, FloatArray
from scoring.tables.missing_words import is_missing_word
from training.data import columns as arrow_columns
from training.event_types.cells import (
    Int64Array,
    as_bool,
    as_text,
    booleans,
    can_be_texts,
    encoded,
    has_decimal_commas,
    is_missing,
    numbers,
)
from training.event_types.times import Times, times

Content = Literal["nothing", "boolean", "integer", "number", "time", "text", "other"]
"""What all cells that are not missing are; `other` for lists, binary data and the like."""

_LEADING_ZERO = r"^[+-]?0\d"
_WORDS_OF_TRUTH = {"true": 1.0, "false": 0.0}
_MOSTLY = 0.9


@dataclass(frozen=True, slots=True)
class Profile:
    """A column of n cells.

    Attributes:
        name: name of the column.
        content: what the cells are.
        missing: which cells are missing, bool (n,).
        codes: value of each cell as an index into `values`, -1 where missing, int64 (n,).
        values: different values, some of which may be those of missing cells.
        numbers: numbers, NaN where missing or not numbers, float64 (n,).
        times: times of a column whose content is `time`, else None.
        has_decimal_commas: whether numbers are written with decimal commas.
        has_leading_zeros: whether the cells are digits, some with a zero in front.
        not_numbers: cells that are not numbers in a column that mostly has numbers.
        not_times: cells that are not times in a column that mostly has times.
    """

    name: str
    content: Content
    missing: BoolArray
    codes: Int64Array
    values: pa.Array
    numbers: FloatArray
    times: Times | None = None
    has_decimal_commas: bool = False
    has_leading_zeros: bool = False
    not_numbers: tuple[str, ...] = ()
    not_times: tuple[str, ...] = ()

    @property
    def present_count(self) -> int:
        """Number of cells that are not missing."""
        return int(np.count_nonzero(~self.missing))

    @property
    def counts(self) -> dict[str, int]:
        """Number of cells by value as text, without those that are missing."""
        found = self._counted()
        used = np.flatnonzero(found)
        texts = as_text(self.values.take(pa.array(used)))
        return dict(zip(texts, found[used].tolist(), strict=True))

    @property
    def missing_words(self) -> tuple[str, ...]:
        """Words in the cells that count as missing; an empty cell is no word."""
        found = (value.strip() for value in as_text(self.values.drop_null()))
        return tuple(sorted({value for value in found if value and is_missing_word(value)}))

    @property
    def distinct_count(self) -> int:
        """Number of different values."""
        return int(np.count_nonzero(self._counted()))

    def _counted(self) -> Int64Array:
        return np.bincount(self.codes[self.codes >= 0], minlength=len(self.values))


def profile(name: str, column: pa.ChunkedArray) -> Profile:
    """Return what the cells of a column are.

    Args:
        name: name of the column.
        column: n cells: text from CSV, or any type of Parquet.
    """
    kind = column.type
    missing = np.asarray(pc.is_null(column))
    no_codes = np.full(len(column), -1, dtype=np.int64)
    none = np.full(len(column), np.nan)
    is_time = pa.types.is_timestamp(kind) or pa.types.is_date(kind)
    if missing.all():
        return Profile(name, "nothing", missing, no_codes, pa.array([]), none)
    if is_time:
        found = times(column, missing)
        codes, values = encoded(pa.chunked_array([found.us]), missing)
        return Profile(name, "time", missing, codes, values, none, found)
    try:
        if not can_be_texts(kind):
            raise pa.ArrowInvalid(f"{kind} is no kind of a field")
        missing = is_missing(column)
        codes, values = encoded(column, missing)
    except pa.ArrowInvalid:
        return Profile(name, "other", missing, no_codes, pa.array([]), none)
    plain = Profile(name, "nothing", missing, codes, values, none)
    if missing.all():
        return plain
    if arrow_columns.is_text(kind):
        return _of_text(plain, column)
    is_boolean = pa.types.is_boolean(kind)
    amounts = booleans(column) if is_boolean else numbers(column)
    amounts[missing] = np.nan
    if is_boolean:
        return replace(plain, content="boolean", numbers=amounts)
    # Pandas writes integers with missing values as floats.
    is_integer = pa.types.is_integer(kind) or (bool(missing.any()) and _is_whole(amounts[~missing]))
    return replace(plain, content="integer" if is_integer else "number", numbers=amounts)


def _of_text(plain: Profile, column: pa.ChunkedArray) -> Profile:
    missing = plain.missing
    text = arrow_columns.to_text(column)
    values = numbers(column)
    values[missing] = np.nan
    plain = replace(plain, numbers=values)
    is_number = ~np.isnan(values)
    if np.all(is_number | missing):
        zeros = as_bool(pc.match_substring_regex(text, _LEADING_ZERO)) & _without_point(text)
        if zeros.any():
            return replace(plain, content="text", has_leading_zeros=True)
        is_integer = bool(np.all(_without_point(text) | missing))
        return replace(
            plain,
            content="integer" if is_integer else "number",
            has_decimal_commas=has_decimal_commas(column),
        )
    found = times(column, missing)
    if np.all(found.is_time | missing):
        return replace(plain, content="time", times=found)
    truths = booleans(column, _WORDS_OF_TRUTH)
    if np.all(~np.isnan(truths) | missing):
        truths[missing] = np.nan
        return replace(plain, content="boolean", numbers=truths)
    return replace(
        plain,
        content="text",
        not_numbers=_others(plain, is_number),
        not_times=_others(plain, found.is_time),
    )


def _others(plain: Profile, is_usual: BoolArray) -> tuple[str, ...]:
    """Return the cells that differ in a column whose cells are mostly usual ones, else nothing."""
    if np.count_nonzero(is_usual) < _MOSTLY * plain.present_count:
        return ()
    codes = np.unique(plain.codes[~is_usual & ~plain.missing])
    return as_text(plain.values.take(pa.array(codes)))


def _without_point(text: pa.ChunkedArray) -> BoolArray:
    return ~as_bool(pc.match_substring_regex(text, r"[.,eE]"))


def _is_whole(values: FloatArray) -> bool:
    return bool(np.all(values == np.floor(values)))
