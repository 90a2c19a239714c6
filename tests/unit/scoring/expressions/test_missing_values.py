"""What is missing after each operation on a missing value, and which results are missing."""

from __future__ import annotations

import math

import pytest

from tests.support.expressions.values import KINDS, MISSING, is_value, value_of


@pytest.mark.parametrize(
    "source",
    [
        *("A + 1", "1 - A", "A * 0", "A / 1", "A % 2", "A ** 0", "1 ** A", "A ** 2", "-A"),
        *("abs(A)", "log(A)", "sqrt(A)", "min(A, 1)", "max(1, A)", "FLAG + 1"),
        *("hour(BORN)", "weekday(BORN)", "TIME - BORN", "code(CHANNEL)"),
    ],
)
def test_arithmetic_and_functions_with_a_missing_value_are_missing(source: str) -> None:
    assert math.isnan(value_of(source, {"CHANNEL": ("web",)}, TIME=0))


@pytest.mark.parametrize(
    "source",
    [
        *("A < 1", "1 >= A", "A == A", "A != 1", "1 < 2 == A", "A in [1]", "A not in [1]"),
        *("TIME < BORN", "CHANNEL == 'web'", "CHANNEL != 'web'", "CHANNEL in ['web']"),
        *("NOTE not in ['x']", "starts_with(CUSTOMER, 'M')"),
    ],
)
def test_a_comparison_with_a_missing_value_is_missing(source: str) -> None:
    assert math.isnan(value_of(source, TIME=0))


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("True and FLAG", MISSING),
        ("False and FLAG", 0.0),
        ("FLAG and False", 0.0),
        ("FLAG and FLAG", MISSING),
        ("True or FLAG", 1.0),
        ("FLAG or True", 1.0),
        ("False or FLAG", MISSING),
        ("not FLAG", MISSING),
        ("FLAG == True", MISSING),
        ("3 < 2 < A", 0.0),
        ("2 < 3 < A", MISSING),
    ],
)
def test_logic_is_three_valued(source: str, expected: float) -> None:
    assert is_value(value_of(source), expected)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("where(FLAG, 1, 1)", MISSING),
        ("where(FLAG, True, True)", MISSING),
        ("where(True, 1, A)", 1.0),
        ("where(False, A, 1)", 1.0),
        ("where(True, A, 1)", MISSING),
        ("where(True, False, FLAG)", 0.0),
        ("where(True, 1, 1 / 0)", 1.0),
    ],
)
def test_where_depends_on_its_condition_and_the_chosen_value_alone(
    source: str, expected: float
) -> None:
    assert is_value(value_of(source), expected)


@pytest.mark.parametrize("name", ["A", "FLAG", "CHANNEL", "CUSTOMER", "NOTE", "BORN"])
def test_is_missing_is_never_missing(name: str) -> None:
    assert value_of(f"is_missing({name})") == 1.0
    given = "x" if KINDS[name] in ("category", "entity", "text") else 1.0
    assert value_of(f"is_missing({name})", **{name: given}) == 0.0


@pytest.mark.parametrize(
    "source",
    [
        "1 / 0",
        "0 / 0",
        "1 % 0",
        "log(0)",
        "log(-1)",
        "sqrt(-1)",
        "(-8) ** 0.5",
        "0 ** -1",
        "1e308 * 10",
        "-1e308 - 1e308",
        "10 ** 5000",
        "1e200 ** 2",
    ],
)
def test_a_result_that_is_no_finite_number_is_missing(source: str) -> None:
    assert math.isnan(value_of(source))
    assert value_of(f"is_missing({source})") == 1.0
    assert math.isnan(value_of(f"1 / ({source})"))
    assert math.isnan(value_of(f"({source}) > 1"))
    assert math.isnan(value_of(f"max({source}, 1)"))
    assert math.isnan(value_of(f"5 % ({source})"))
    # The same from a field, which is not computed beforehand.
    assert math.isnan(value_of(f"({source}) * A", A=1))
