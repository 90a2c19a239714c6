"""Read whole columns of a file as times: ISO 8601 text, numbers since 1970, Arrow's own types."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from scoring.columns import BoolArray
from scoring.event_type.timestamps import EPOCH
from training.data import columns as arrow_columns
from training.event_types.cells import Int64Array, as_bool, numbers

Form = Literal["zoned", "local", "seconds", "milliseconds", "microseconds", "nanoseconds"]
"""How times are written: with their zone, without one (read as UTC), or as a number since 1970."""

# The year first, so that day and month cannot be confused.
_ISO = (
    r"^(?P<date>\d{4}[-/]\d\d[-/]\d\d)(?:[ Tt](?P<time>\d\d:\d\d(?::\d\d)?)"
    r"(?P<fraction>\.\d{1,9})? ?(?P<zone>[Zz]|UTC|[+-]\d\d(?::?\d\d)?)?)?$"
)
_EPOCH_UNITS: tuple[tuple[float, Form, int, int], ...] = (
    (1e11, "seconds", 1_000_000, 1),
    (1e14, "milliseconds", 1_000, 1),
    (1e17, "microseconds", 1, 1),
    (np.inf, "nanoseconds", 1, 1_000),
)
"""Largest size, form, multiplier and divisor: 1e11 seconds are the year 5138, milliseconds 1973."""


@dataclass(frozen=True, slots=True)
class Times:
    """n times of a column.

    Attributes:
        us: microseconds since 1970 UTC, 0 where it is not a time, int64 (n,).
        is_time: whether each cell is a time, bool (n,).
        form: how they are written.
    """

    us: Int64Array
    is_time: BoolArray
    form: Form


def times(column: pa.ChunkedArray, missing: BoolArray) -> Times:
    """Return the times of a column.

    The unit of numbers since 1970 is recognised by the size of their median.

    Args:
        column: n cells.
        missing: which cells are missing, bool (n,).
    """
    kind = column.type
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        moments = column.cast(pa.timestamp("us", getattr(kind, "tz", None)), safe=False)
        form: Form = "zoned" if getattr(kind, "tz", None) else "local"
        return Times(_as_int64(moments.cast(pa.int64())), ~missing, form)
    if arrow_columns.is_text(kind):
        text = arrow_columns.to_text(column)
        if as_bool(pc.match_substring_regex(text, _ISO)).any():
            return _from_text(text)
    if arrow_columns.can_be_numbers(kind):
        return _from_numbers(column, missing)
    nothing = np.zeros(len(column), dtype=np.bool_)
    return Times(np.zeros(len(column), dtype=np.int64), nothing, "local")


def _from_numbers(column: pa.ChunkedArray, missing: BoolArray) -> Times:
    values = numbers(column)
    is_time = np.isfinite(values) & ~missing
    size = float(np.median(np.abs(values[is_time]))) if is_time.any() else 0.0
    _, form, factor, divisor = next(unit for unit in _EPOCH_UNITS if size < unit[0])
    # Beyond year 9999 in microseconds nothing is a time.
    is_time &= np.abs(values) * factor / divisor < 253_402_300_800e6
    us = np.zeros(len(values), dtype=np.int64)
    us[is_time] = np.rint(values[is_time] * factor / divisor).astype(np.int64)
    return Times(us, is_time, form)


def _from_text(text: pa.ChunkedArray) -> Times:
    parts = pc.extract_regex(text, _ISO)
    is_time = as_bool(pc.is_valid(parts))
    date = pc.replace_substring(_part(parts, "date"), "/", "-")
    time = _part(parts, "time")
    time = pc.if_else(pc.equal(time, ""), "00:00:00", time)
    time = pc.if_else(pc.equal(pc.utf8_length(time), 5), pc.binary_join_element_wise(
        time, "00", ":"
    ), time)  # fmt: skip
    base = pc.binary_join_element_wise(date, time, " ")
    seconds, exists = _seconds(base)
    fraction = pc.utf8_slice_codeunits(pc.utf8_rpad(_part(parts, "fraction"), 7, "0"), 1, 7)
    fraction = pc.if_else(pc.equal(fraction, ""), "0", fraction)
    us = seconds * 1_000_000 + _as_int64(fraction.cast(pa.int64()))
    zones = _part(parts, "zone").combine_chunks().dictionary_encode()
    if isinstance(zones, pa.ChunkedArray):
        zones = zones.combine_chunks()
    offsets = np.array([*map(_offset_us, zones.dictionary.to_pylist()), 0], dtype=np.int64)
    codes = np.array(pc.fill_null(zones.indices.cast(pa.int64()), -1), dtype=np.int64)
    is_time &= exists
    us = np.where(is_time, us - offsets[codes], 0)
    has_zones = bool(zones.dictionary) and "" not in zones.dictionary.to_pylist()
    return Times(us, is_time, "zoned" if has_zones else "local")


def _part(parts: pa.ChunkedArray, name: str) -> pa.ChunkedArray:
    # `string`, because Arrow's literals are of that type and do not mix with `large_string`.
    return pc.struct_field(parts, name).cast(pa.string())


def _seconds(base: pa.ChunkedArray) -> tuple[Int64Array, BoolArray]:
    """Return seconds since 1970 of texts such as `2018-04-01 00:00:31`, and which exist."""
    try:
        moments = base.cast(pa.timestamp("s"))
    except pa.ArrowInvalid:
        # Some day such as February 30 does not exist; Arrow does not tell which.
        found = [_seconds_of(text) for text in base.to_pylist()]
        exists = np.array([second is not None for second in found], dtype=np.bool_)
        return np.array([second or 0 for second in found], dtype=np.int64), exists
    return _as_int64(moments.cast(pa.int64())), as_bool(pc.is_valid(moments))


def _seconds_of(text: str | None) -> int | None:
    try:
        moment = datetime.fromisoformat(text or "").replace(tzinfo=UTC)
    except ValueError:
        return None
    return int((moment - EPOCH).total_seconds())


def _offset_us(zone: str) -> int:
    """Return the microseconds by which a zone is ahead of UTC."""
    if zone in ("", "Z", "z", "UTC"):
        return 0
    digits = zone[1:].replace(":", "").ljust(4, "0")
    minutes = int(digits[:2]) * 60 + int(digits[2:])
    return (-1 if zone[0] == "-" else 1) * minutes * 60_000_000


def _as_int64(column: pa.ChunkedArray) -> Int64Array:
    return np.asarray(pc.fill_null(column, 0), dtype=np.int64)
