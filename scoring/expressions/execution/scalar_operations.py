"""Each operation of a program on plain values: as a template of Python source, or a function.

They have the bits of `operations` and NumPy: the same IEEE 754 operation, or the same function of
the C library.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from scoring.expressions.execution import operations


def divide(left: float, right: float) -> float:
    """Return left / right as NumPy does, where Python raises for 0."""
    if right == 0.0:
        # NaN or an infinity in NumPy, which is missing in the end.
        is_nan = left == 0.0 or left != left
        return math.nan if is_nan else math.copysign(math.inf, left) * math.copysign(1.0, right)
    return left / right


def remainder(left: float, right: float) -> float:
    """Return left % right; NaN for 0."""
    return math.nan if right == 0.0 else left % right


def sqrt(value: float) -> float:
    """Return the square root; NaN below 0."""
    return math.sqrt(value) if value >= 0.0 else math.nan


def log(value: float) -> float:
    """Return the natural logarithm; NaN for 0 and below."""
    return math.log(value) if value > 0.0 else math.nan


def hour(timestamp: float) -> float:
    """Return the hour of a Unix time in seconds, 0 to 23 UTC; NaN where it is missing."""
    return math.nan if timestamp != timestamp else float(math.floor(timestamp % 86_400.0 / 3_600.0))


def weekday(timestamp: float) -> float:
    """Return the weekday of a Unix time in seconds, Monday 0 to Sunday 6; NaN where missing."""
    if timestamp != timestamp:
        return math.nan
    return (float(math.floor(timestamp / 86_400.0)) + 3.0) % 7.0


def maximum(left: float, right: float) -> float:
    """Return the larger value; NaN where one is NaN."""
    return left if left != left or left >= right else right


def minimum(left: float, right: float) -> float:
    """Return the smaller value; NaN where one is NaN."""
    return left if left != left or left <= right else right


HELPERS: tuple[Callable[..., float], ...] = (
    divide,
    remainder,
    sqrt,
    log,
    hour,
    weekday,
    maximum,
    minimum,
)
COMPARISONS: dict[Callable[..., Any], str] = {
    np.less: "({0} < {1})",
    np.less_equal: "({0} <= {1})",
    np.greater: "({0} > {1})",
    np.greater_equal: "({0} >= {1})",
    np.equal: "({0} == {1})",
    operations.differs: "({0} < {1} or {0} > {1})",
    operations.known_but: "({0} == {0} and not {1})",
    operations.is_missing: "({0} != {0})",
    np.logical_and: "({0} and {1})",
    np.logical_or: "({0} or {1})",
    np.logical_not: "(not {0})",
}
TRUTHS = frozenset(COMPARISONS)
"""Operations whose value is true or false."""
REPEATING = frozenset({operations.differs, operations.known_but, operations.is_missing})
"""Operations whose template has an operand twice."""
TEMPLATES: dict[Callable[..., Any], str] = {
    **COMPARISONS,
    np.negative: "(-{0})",
    np.absolute: "abs({0})",
    np.add: "({0} + {1})",
    np.subtract: "({0} - {1})",
    np.multiply: "({0} * {1})",
    np.divide: "divide({0}, {1})",
    np.remainder: "remainder({0}, {1})",
    np.sqrt: "sqrt({0})",
    np.maximum: "maximum({0}, {1})",
    np.minimum: "minimum({0}, {1})",
    np.where: "({1} if {0} else {2})",
    operations.log: "log({0})",
    operations.power: "power_of({0}, {1})",
    operations.positive_zero: "({0} + 0.0)",
    operations.hour: "hour({0})",
    operations.weekday: "weekday({0})",
    operations.choose: "({2} if {0} else {3} if {1} else NAN)",
    operations.as_number: "(1.0 if {0} else 0.0 if {1} else NAN)",
    operations.as_float: "(1.0 if {0} else 0.0)",
}
