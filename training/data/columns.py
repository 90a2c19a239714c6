"""Convert the columns of a file to numbers and to text, refusing types that can hold neither."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from scoring.columns import FloatArray
from scoring.tables.written_numbers import NUMBER

_NUMBER = rf"^{NUMBER}$"


def plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return a column without its encoding: dictionary, run-end or an extension type."""
    if isinstance(column.type, pa.BaseExtensionType):
        storage = [chunk.storage for chunk in column.chunks]
        column = pa.chunked_array(storage, type=column.type.storage_type)
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_run_end_encoded(column.type):
        column = pc.run_end_decode(column)
    return column


def can_be_numbers(kind: pa.DataType) -> bool:
    """Return whether a column of this type can hold numbers, as such or as text."""
    return (
        pa.types.is_integer(kind)
        or pa.types.is_floating(kind)
        or pa.types.is_decimal(kind)
        or pa.types.is_null(kind)
        or is_text(kind)
    )


def can_be_text(kind: pa.DataType) -> bool:
    """Return whether a column of this type can hold names: text, or whole numbers."""
    return is_text(kind) or pa.types.is_integer(kind) or pa.types.is_null(kind)


def is_text(kind: pa.DataType) -> bool:
    """Return whether a column of this type holds text; Impala and Spark write it as bytes too."""
    return bool(
        pa.types.is_string(kind)
        or pa.types.is_large_string(kind)
        or pa.types.is_string_view(kind)
        or pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
        or pa.types.is_binary_view(kind)
    )


def to_text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return a column of a type of `can_be_text` as text.

    Raises:
        ArrowInvalid: bytes are not UTF-8.
    """
    if pa.types.is_string_view(column.type) or pa.types.is_binary_view(column.type):
        column = column.cast(pa.large_binary())
    return column.cast(pa.large_string())


def to_numbers(column: pa.ChunkedArray) -> FloatArray:
    """Return a column of a type of `can_be_numbers`, or of booleans, as float64.

    Text is a number in the form of _NUMBER; anything else is NaN. A decimal is converted through
    its text, so that it is the float nearest to it, as from a CSV file.

    Raises:
        ArrowInvalid: bytes are not UTF-8.
    """
    if pa.types.is_decimal(column.type):
        column = column.cast(pa.string())
    if is_text(column.type):
        text = to_text(column)
        is_number = pc.match_substring_regex(text, _NUMBER)
        column = pc.if_else(pc.fill_null(is_number, False), text, None)
    return np.asarray(column.cast(pa.float64(), safe=False), dtype=np.float64)
