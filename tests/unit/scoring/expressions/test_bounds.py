"""The bounds of an operation hold every result of numbers within its operands' bounds."""

from __future__ import annotations

import math
from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st

from scoring.expressions.bounds import Bounds

floats = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([0.0, -0.0, 1.0, -1.0, 1e308, -1e308, 5e-324]),
)


@st.composite
def bounded(draw: st.DrawFn) -> tuple[float, Bounds]:
    """Return a number and bounds that hold it."""
    low, number, high = sorted(draw(st.tuples(floats, floats, floats)))
    return number, Bounds(low, high)


def is_held(result: float, bounds: Bounds) -> bool:
    # A missing result lies nowhere.
    return math.isnan(result) or bounds.low <= result <= bounds.high


OPERATIONS: dict[
    str, tuple[Callable[[float, float], float], Callable[[Bounds, Bounds], Bounds]]
] = {
    "a + b": (lambda a, b: a + b, lambda a, b: a + b),
    "a - b": (lambda a, b: a - b, lambda a, b: a - b),
    "a * b": (lambda a, b: a * b, lambda a, b: a * b),
    "a / b": (lambda a, b: a / b if b else math.nan, lambda a, b: a / b),
    "a % b": (lambda a, b: a % b if b else math.nan, lambda _, b: b.remainder()),
    "max": (max, Bounds.maximum),
    "min": (min, Bounds.minimum),
    "either, a": (lambda a, _: a, Bounds.either),
    "either, b": (lambda _, b: b, Bounds.either),
    "-a": (lambda a, _: -a, lambda a, _: -a),
    "abs(a)": (lambda a, _: abs(a), lambda a, _: abs(a)),
}


@settings(max_examples=200, deadline=None)
@given(bounded(), bounded())
def test_a_result_lies_within_its_bounds(
    left: tuple[float, Bounds], right: tuple[float, Bounds]
) -> None:
    for name, (operation, bounds_of) in OPERATIONS.items():
        assert is_held(operation(left[0], right[0]), bounds_of(left[1], right[1])), name


def test_bounds_are_finite_where_no_result_overflows() -> None:
    money = Bounds(0.0, 1e12)
    assert (money - money) == Bounds(-1e12, 1e12)
    assert (money / (money + Bounds(1.0, 1.0))) == Bounds(0.0, 1e12)
    assert not (money / money).is_finite
    assert not (Bounds(-1e308, 1e308) * Bounds(2.0, 10.0)).is_finite
