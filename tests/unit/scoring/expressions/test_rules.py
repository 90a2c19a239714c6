"""The value of each operator and function, on fields that are not missing."""

from __future__ import annotations

import math

import numpy as np
import pytest

from scoring.columns import TextColumn
from scoring.expressions import compile_expression
from tests.support.expressions.strategies import EVENT_TYPE
from tests.support.expressions.values import KINDS, value_of


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("7 + 2", 9.0),
        ("7 - 2", 5.0),
        ("7 * 2", 14.0),
        ("7 / 2", 3.5),
        ("7 % 4", 3.0),
        ("-7 % 4", 1.0),
        ("7 % -4", -1.0),
        ("2 ** 10", 1024.0),
        ("2 ** 3 ** 2", 512.0),
        ("-2 ** 2", -4.0),
        ("2 ** -1", 0.5),
        ("-(3)", -3.0),
        ("abs(-3)", 3.0),
        ("sqrt(9)", 3.0),
        ("log(1)", 0.0),
        ("log(2.718281828459045)", 1.0),
        ("min(3, 1, 2)", 1.0),
        ("max(3, 1, 2)", 3.0),
        ("where(1 < 2, 5, 6)", 5.0),
        ("where(1 > 2, 5, 6)", 6.0),
        ("1 < 2 < 3", 1.0),
        ("1 < 2 > 3", 0.0),
        ("3 in [1, -2, 3]", 1.0),
        ("3 not in [1, -2, 3]", 0.0),
        ("True + True", 2.0),
        ("True and not False", 1.0),
        ("0x10 + 1_000 + 1e2", 1116.0),
    ],
)
def test_operators_and_functions_have_their_usual_meaning(source: str, expected: float) -> None:
    assert value_of(source) == expected


def test_a_zero_of_minimum_or_maximum_is_positive() -> None:
    extremes = ("max(A, B)", "min(A, B)", "max(A, -1)", "min(A, 1)")
    # A difference keeps the sign of a zero before it.
    for source in (*extremes, *(f"{extreme} - 0" for extreme in extremes)):
        for a, b in ((-0.0, 0.0), (0.0, -0.0), (-0.0, -0.0)):
            assert math.copysign(1, value_of(source, A=a, B=b)) == 1
    assert math.copysign(1, value_of("A", A=-0.0)) == -1


def test_a_square_is_the_product_with_itself() -> None:
    assert value_of("A ** 2", A=1.1) == 1.1 * 1.1


@pytest.mark.parametrize(
    ("seconds", "hour", "weekday"),
    [
        (0.0, 0, 3),
        (3599.999999, 0, 3),
        (3600.0, 1, 3),
        (86_399.999999, 23, 3),
        (86_400.0, 0, 4),
        (345_600.0, 0, 0),
        (1_700_000_000.5, 22, 1),
    ],
)
def test_hours_and_weekdays_are_of_utc_and_monday_is_zero(
    seconds: float, hour: int, weekday: int
) -> None:
    assert value_of("hour(TIME)", TIME=seconds) == hour
    assert value_of("weekday(TIME)", TIME=seconds) == weekday


def test_the_difference_of_timestamps_is_in_seconds() -> None:
    assert value_of("TIME - BORN", TIME=1000.5, BORN=999) == 1.5


@pytest.mark.parametrize(("channel", "code"), [("pos", 0), ("web", 1), ("fax", 2)])
def test_a_code_is_the_position_among_the_learned_values_and_unknown_ones_come_last(
    channel: str, code: float
) -> None:
    assert value_of("code(CHANNEL)", {"CHANNEL": ("pos", "web")}, CHANNEL=channel) == code


def test_a_code_is_the_position_in_a_closed_list() -> None:
    expression = compile_expression("code(CHANNEL)", EVENT_TYPE)
    column = TextColumn(np.array([2, 0, 1, -1]), ("atm", "pos", "web"))
    assert expression.evaluate({"CHANNEL": column}).tolist()[:3] == [1.0, 2.0, 0.0]
    in_order = TextColumn(np.array([2, 0, 1, -1]), ("pos", "web", "atm"))
    values = expression.evaluate({"CHANNEL": in_order})
    assert values.tolist()[:3] == [2.0, 0.0, 1.0]
    assert math.isnan(values[3])


def test_a_text_may_be_on_either_side() -> None:
    assert value_of("'web' == CHANNEL", CHANNEL="web") == 1.0
    assert value_of("'web' != CHANNEL", CHANNEL="pos") == 1.0


@pytest.mark.parametrize("count", [1, 3, 16, 17, 500])
@pytest.mark.parametrize("prefix", ["M", "Mé", "😀", "M234567", "\0"])
@pytest.mark.parametrize("separator", ["", "\0"])
def test_prefixes_are_those_of_python_for_any_number_of_values(
    count: int, prefix: str, separator: str
) -> None:
    starts = ["M", "Mé", "😀", "", "\0", "C", "M23"]
    values = tuple(dict.fromkeys(f"{starts[i % 7]}{separator}{i or ''}" for i in range(count)))
    column = TextColumn(np.arange(-1, len(values)), values)
    source = f"starts_with(CUSTOMER, {prefix!r})"
    result = compile_expression(source, {"CUSTOMER": "entity"}).evaluate({"CUSTOMER": column})
    assert math.isnan(result[0])
    assert result[1:].tolist() == [float(value.startswith(prefix)) for value in values]


def test_conditions_are_of_kind_boolean_and_all_else_of_kind_number() -> None:
    kinds = {source: compile_expression(source, KINDS).kind for source in ("A < 1", "A", "FLAG")}  # type: ignore[arg-type]
    assert kinds == {"A < 1": "boolean", "A": "number", "FLAG": "boolean"}


def test_no_value_raises_a_warning(recwarn: pytest.WarningsRecorder) -> None:
    value_of("1 / A + log(B) + sqrt(B) + 1e308 * B ** 3", A=0.0, B=-1e200)
    assert len(recwarn) == 0
