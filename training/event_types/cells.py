"""Read whole columns of a file as numbers, booleans and text, in the ways people write them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from scoring.columns import BoolArray, FloatArray, TextColumn
from scoring.tables.missing_words import MISSING_WORDS
from scoring.tables.written_numbers import BOOLEANS
from training.data import columns as arrow_columns

Int64Array = NDArray[np.int64]

_COMMA = r"^[+-]?\d*,\d+$"
_POINT = r"^[+-]?\d*\.\d+$"
_LIKE_THOUSANDS = r"^[+-]?[1-9]\d{0,2},\d{3}$"


def is_missing(column: pa.ChunkedArray, *, but: tuple[str, ...] = ()) -> BoolArray:
    """Return which cells are missing: null, NaN, or one of MISSING_WORDS.

    Args:
        column: n cells of any type.
        but: words that are values of this column.

    Returns:
        Whether each cell is missing, bool (n,).
    """
    if arrow_columns.is_text(column.type):
        text = arrow_columns.to_text(column)
        lower = pc.utf8_lower(pc.utf8_trim_whitespace(text))
        is_word = pc.is_in(lower, value_set=pa.array(MISSING_WORDS, lower.type))
        if but:
            is_value = pc.is_in(text, value_set=pa.array(but, text.type))
            is_word = pc.and_(is_word, pc.invert(is_value))
        return as_bool(pc.or_(is_word, pc.is_null(column)))
    return as_bool(pc.is_null(column, nan_is_null=True))


def numbers(column: pa.ChunkedArray) -> FloatArray:
    """Return the numbers of a column, NaN where a cell is not one, float64 (n,).

    A column is read with decimal commas if `has_decimal_commas`.

    Args:
        column: n cells of a type of `can_be_numbers`.
    """
    if arrow_columns.is_text(column.type) and has_decimal_commas(column):
        column = pc.replace_substring(arrow_columns.to_text(column), ",", ".")
    # A copy: Arrow's memory cannot be written.
    return arrow_columns.to_numbers(column).copy()


def has_decimal_commas(column: pa.ChunkedArray) -> bool:
    """Return whether the numbers of a text column have decimal commas.

    That is not so where a cell has a decimal point, nor where the commas may as well separate
    thousands: all have three digits behind them, and some cells have no comma.
    """
    text = arrow_columns.to_text(column)
    with_comma = as_bool(pc.match_substring_regex(text, _COMMA))
    if not with_comma.any() or as_bool(pc.match_substring_regex(text, _POINT)).any():
        return False
    like_thousands = as_bool(pc.match_substring_regex(text, _LIKE_THOUSANDS))
    all_have_one = np.all(with_comma | is_missing(column))
    return bool(all_have_one | np.any(with_comma & ~like_thousands))


def booleans(column: pa.ChunkedArray, words: Mapping[str, float] = BOOLEANS) -> FloatArray:
    """Return 1.0 and 0.0 for a column's words of yes and no, NaN for other cells, float64 (n,).

    Args:
        column: n booleans, numbers or texts.
        words: value by word in lower case.
    """
    if pa.types.is_boolean(column.type):
        return np.asarray(column.cast(pa.float64()), dtype=np.float64).copy()
    if not arrow_columns.is_text(column.type):
        values = numbers(column)
        return np.where((values == 0) | (values == 1), values, np.nan)
    cells = texts(column, np.zeros(len(column), dtype=np.bool_))
    value = [words.get(cell.strip().lower(), np.nan) for cell in cells.values]
    return np.array([*value, np.nan])[cells.codes]


def can_be_texts(kind: pa.DataType) -> bool:
    """Return whether `texts` can read a column of this type."""
    return arrow_columns.can_be_numbers(kind) or pa.types.is_boolean(kind)


def texts(column: pa.ChunkedArray, missing: BoolArray) -> TextColumn:
    """Return the texts of a column, -1 where missing; see `as_text` for other types.

    Args:
        column: n cells of a type of `can_be_texts`.
        missing: which cells are missing, bool (n,).
    """
    codes, values = encoded(column, missing)
    return TextColumn(codes, as_text(values))


def encoded(column: pa.ChunkedArray, missing: BoolArray) -> tuple[Int64Array, pa.Array]:
    """Return a column as codes, -1 where missing, int64 (n,), and the value of each code.

    Args:
        column: n cells of a type of `can_be_texts`.
        missing: which cells are missing, bool (n,).
    """
    if pa.types.is_decimal(column.type):
        column = column.cast(pa.float64())
    if arrow_columns.is_text(column.type) or pa.types.is_null(column.type):
        column = arrow_columns.to_text(column)
    found = column.combine_chunks().dictionary_encode()
    if isinstance(found, pa.ChunkedArray):
        found = found.combine_chunks()
    codes = np.asarray(pc.fill_null(found.indices.cast(pa.int64()), -1), dtype=np.int64).copy()
    codes[missing] = -1
    return codes, found.dictionary


def as_text(values: pa.Array) -> tuple[str, ...]:
    """Return values as text: whole numbers as their digits, also where pandas made them floats."""
    return tuple(map(_as_text, values.to_pylist()))


def as_bool(array: pa.ChunkedArray) -> BoolArray:
    """Return an Arrow array of booleans as NumPy's, null as false."""
    return np.asarray(pc.fill_null(array, False), dtype=np.bool_)


def _as_text(value: str | float | bool) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)
