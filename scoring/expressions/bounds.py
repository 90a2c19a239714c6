"""Bounds: the interval in which a number lies, known before any event.

Float arithmetic is monotonic in each operand, so the ends of an interval, computed in floats, bound
every float result. An infinite end says that a result may be ±infinity.
"""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Bounds:
    """The interval of a number, as far as it is not missing.

    Attributes:
        low: smallest value.
        high: largest value.
    """

    low: float
    high: float

    @property
    def is_finite(self) -> bool:
        """Whether the number is never ±infinity."""
        return math.isfinite(self.low) and math.isfinite(self.high)

    @property
    def excludes_zero(self) -> bool:
        """Whether the number is never zero."""
        return self.low > 0 or self.high < 0

    def __neg__(self) -> Bounds:
        return Bounds(-self.high, -self.low)

    def __add__(self, other: Bounds) -> Bounds:
        return _hull(self.low + other.low, self.high + other.high)

    def __sub__(self, other: Bounds) -> Bounds:
        return _hull(self.low - other.high, self.high - other.low)

    def __mul__(self, other: Bounds) -> Bounds:
        return _hull(
            self.low * other.low,
            self.low * other.high,
            self.high * other.low,
            self.high * other.high,
        )

    def __truediv__(self, other: Bounds) -> Bounds:
        if not other.excludes_zero:
            return UNBOUNDED
        return _hull(
            self.low / other.low,
            self.low / other.high,
            self.high / other.low,
            self.high / other.high,
        )

    def __abs__(self) -> Bounds:
        size = max(abs(self.low), abs(self.high))
        return Bounds(0.0, size) if not self.excludes_zero else Bounds(self._nearest_zero(), size)

    def _nearest_zero(self) -> float:
        return min(abs(self.low), abs(self.high))

    def remainder(self) -> Bounds:
        """Return the bounds of what is left after a division by this number."""
        return Bounds(min(self.low, 0.0), max(self.high, 0.0))

    def maximum(self, other: Bounds) -> Bounds:
        """Return the bounds of the larger of two numbers."""
        return Bounds(max(self.low, other.low), max(self.high, other.high))

    def minimum(self, other: Bounds) -> Bounds:
        """Return the bounds of the smaller of two numbers."""
        return Bounds(min(self.low, other.low), min(self.high, other.high))

    def either(self, other: Bounds) -> Bounds:
        """Return the bounds of a number that is one of two."""
        return Bounds(min(self.low, other.low), max(self.high, other.high))


def _hull(*ends: float) -> Bounds:
    # An end is NaN where infinities meet.
    return UNBOUNDED if any(map(math.isnan, ends)) else Bounds(min(ends), max(ends))


FINITE = Bounds(-sys.float_info.max, sys.float_info.max)
UNBOUNDED = Bounds(-math.inf, math.inf)
CONDITION = Bounds(0.0, 1.0)
