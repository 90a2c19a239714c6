"""Operations: the array functions behind the language.

Each takes arrays of shape (n,), or () for a constant beside one of (n,), and returns (n,). It is
called with NumPy's floating-point warnings off.

Logarithms and powers go through the C library one value at a time, as in Python's `math`: NumPy's
own are vectorised differently on each processor and differ in the last bit, so a model would see
other inputs where it serves than where it was trained.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from scoring.columns import FloatArray

BoolArray = NDArray[np.bool_]
_ZERO = np.array(0.0)
_ONE = np.array(1.0)
_DAY_S = np.array(86_400.0)
_HOUR_S = np.array(3_600.0)
_WEEK_DAYS = np.array(7.0)
_THURSDAY = np.array(3.0)  # 1 January 1970; Monday is 0.


def settle(values: FloatArray) -> FloatArray:
    """Return the values, NaN in place of ±infinity."""
    # x - (x - x) is x for every finite x, also for -0.0.
    settled: FloatArray = np.subtract(values, np.subtract(values, values))
    return settled


def log(values: FloatArray) -> FloatArray:
    """Return natural logarithms, NaN for zero, negative and missing values."""
    is_positive = np.greater(values, _ZERO)
    safe = np.where(is_positive, values, _ONE).tolist()
    logarithms = np.fromiter(map(math.log, safe), np.float64, len(safe))
    return np.where(is_positive, logarithms, np.nan)


def power(base: FloatArray, exponent: FloatArray) -> FloatArray:
    """Return powers, NaN where there is no real or no finite one."""
    bases, exponents = np.broadcast_arrays(base, exponent)
    pairs = zip(bases.tolist(), exponents.tolist(), strict=True)
    return np.fromiter((power_of(b, e) for b, e in pairs), np.float64, len(bases))


def power_of(base: float, exponent: float) -> float:
    """Return a power, NaN where there is no real or no finite one."""
    if base != base or exponent != exponent:
        return math.nan
    try:
        return math.pow(base, exponent)
    except (ValueError, OverflowError):
        return math.nan


def positive_zero(values: FloatArray) -> FloatArray:
    """Return the values, 0.0 in place of -0.0; the sign of a zero of np.maximum is up to NumPy."""
    positive: FloatArray = np.add(values, _ZERO)
    return positive


def hour(timestamps: FloatArray) -> FloatArray:
    """Return the hour of the day in UTC, 0 to 23."""
    result: FloatArray = np.floor(np.divide(np.remainder(timestamps, _DAY_S), _HOUR_S))
    return result


def weekday(timestamps: FloatArray) -> FloatArray:
    """Return the day of the week in UTC, Monday 0 to Sunday 6."""
    days = np.floor(np.divide(timestamps, _DAY_S))
    result: FloatArray = np.remainder(np.add(days, _THURSDAY), _WEEK_DAYS)
    return result


def choose(
    is_true: BoolArray, is_false: BoolArray, then: FloatArray, otherwise: FloatArray
) -> FloatArray:
    """Return `then` where a condition is true, `otherwise` where false, NaN where missing."""
    return np.where(is_true, then, np.where(is_false, otherwise, np.nan))


def as_number(is_true: BoolArray, is_false: BoolArray) -> FloatArray:
    """Return 1.0 where a condition is true, 0.0 where false, NaN where missing."""
    # 0 / 0 is NaN.
    result: FloatArray = np.true_divide(is_true, np.logical_or(is_true, is_false))
    return result


def is_missing(values: FloatArray) -> BoolArray:
    """Return where values are NaN."""
    result: BoolArray = np.not_equal(values, values)
    return result


def differs(left: FloatArray, right: FloatArray) -> BoolArray:
    """Return where two known values differ."""
    result: BoolArray = np.logical_or(np.less(left, right), np.greater(left, right))
    return result


def known_but(values: FloatArray, is_true: BoolArray) -> BoolArray:
    """Return where values are known and a condition on them is not true."""
    result: BoolArray = np.greater(np.equal(values, values), is_true)
    return result


def is_among(listed: FloatArray, values: FloatArray) -> BoolArray:
    """Return where values are among the listed ones, float64 (k,)."""
    found: BoolArray = np.logical_or.reduce(np.equal(values[:, np.newaxis], listed), axis=1)
    return found


def as_float(is_true: BoolArray) -> FloatArray:
    """Return a condition that is never missing as 1.0 or 0.0."""
    return is_true.astype(np.float64)
