"""Each rule of the language that the package documents."""

from __future__ import annotations

import math

import numpy as np
import pytest

from scoring.columns import Column, TextColumn
from scoring.expressions import compile_expression
from scoring.expressions.schema import Categories
from scoring.windows.definition import WindowDefinition
from tests.support.expressions.strategies import EVENT_TYPE

KINDS = {
    "A": "number",
    "B": "number",
    "FLAG": "boolean",
    "CHANNEL": "category",
    "CUSTOMER": "entity",
    "TERMINAL": "entity",
    "NOTE": "text",
    "TIME": "timestamp",
    "BORN": "timestamp",
}
MISSING = math.nan
DAY_US = 86_400_000_000


def a_column(name: str, value: float | str | None) -> Column:
    if KINDS[name] in ("category", "entity", "text"):
        known = () if value is None else (str(value),)
        return TextColumn(np.array([-1 if value is None else 0]), known)
    return np.array([MISSING if value is None else float(value)])


def value_of(
    source: str, categories: Categories | None = None, window: float | None = None, **fields: object
) -> float:
    """Return an expression's value on one event; fields that are not given are missing."""
    columns = {name: a_column(name, fields.get(name)) for name in KINDS}  # type: ignore[arg-type]
    expression = compile_expression(source, KINDS, categories=categories or {})  # type: ignore[arg-type]
    windows = [np.array([MISSING if window is None else window])] * len(expression.windows)
    return float(expression.evaluate(columns, windows)[0])


def is_value(actual: float, expected: float) -> bool:
    return math.isnan(actual) if math.isnan(expected) else actual == expected


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


def a_window(**changes: object) -> WindowDefinition:
    window: dict[str, object] = {
        "function": "count",
        "by": ("CUSTOMER",),
        "window_us": DAY_US,
        "delay_us": 0,
        "value": None,
        "where": None,
    }
    return WindowDefinition(**{**window, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("source", "window"),
    [
        ("count(by=CUSTOMER, window='24h')", a_window()),
        (
            "count(by=[TERMINAL, CUSTOMER], window='90d', where=A > 220.0)",
            a_window(by=("CUSTOMER", "TERMINAL"), window_us=90 * DAY_US, where="A > 220"),
        ),
        ("sum(A*2, by=CUSTOMER, window='1d')", a_window(function="sum", value="A * 2")),
        ("mean(A, by=CUSTOMER, window='1d')", a_window(function="mean", value="A")),
        ("max(A, by=CUSTOMER, window='1d')", a_window(function="max", value="A")),
        ("min(A, by=CUSTOMER, window='1d')", a_window(function="min", value="A")),
        (
            "std(A, by=CUSTOMER, window='60s')",
            a_window(function="std", value="A", window_us=60 * 10**6),
        ),
        (
            "distinct(TERMINAL, by=CUSTOMER, window='1d')",
            a_window(function="distinct", value="TERMINAL"),
        ),
        (
            "seconds_since_last(by=CUSTOMER)",
            a_window(function="seconds_since_last", window_us=None),
        ),
        (
            "first_seen(by=CUSTOMER, where=FLAG)",
            a_window(function="first_seen", window_us=None, where="FLAG"),
        ),
        (
            "fraud_rate(by=TERMINAL, window='28d', delay='168h')",
            a_window(
                function="fraud_rate",
                by=("TERMINAL",),
                window_us=28 * DAY_US,
                delay_us=7 * DAY_US,
            ),
        ),
    ],
)
def test_a_window_call_is_its_definition(source: str, window: WindowDefinition) -> None:
    expression = compile_expression(source, KINDS)  # type: ignore[arg-type]
    assert expression.windows == (window,)
    assert value_of(source, window=7.5) == 7.5


def test_windows_that_mean_the_same_are_one() -> None:
    expression = compile_expression(
        "count(by=[CUSTOMER, TERMINAL], window='24h', where=A>1) "
        "+ count(by=[TERMINAL, CUSTOMER], where=(A > 1.0), window='1d')",
        KINDS,  # type: ignore[arg-type]
    )
    assert len(expression.windows) == 1


def test_an_expression_names_its_fields_also_those_of_its_windows() -> None:
    source = "A / mean(B, by=[CUSTOMER, TERMINAL], window='1d', where=FLAG)"
    expression = compile_expression(source, KINDS)  # type: ignore[arg-type]
    assert expression.fields == ("A", "B", "CUSTOMER", "FLAG", "TERMINAL")


def test_windows_are_taken_in_the_order_of_their_definitions() -> None:
    source = "count(by=CUSTOMER, window='1d') - count(by=TERMINAL, window='1d')"
    expression = compile_expression(source, KINDS)  # type: ignore[arg-type]
    by = {window.by: float(index) for index, window in enumerate(expression.windows)}
    values = expression.evaluate({}, [np.array([0.0]), np.array([1.0])])
    assert values.tolist() == [by[("CUSTOMER",)] - by[("TERMINAL",)]]
    with pytest.raises(ValueError, match="1 window columns for 2 windows"):
        expression.evaluate({}, [np.array([0.0])])


@pytest.mark.parametrize(
    ("source", "canonical"),
    [
        (" ( A+1.0 ) *2 ", "(A + 1) * 2"),
        ("A\n + 1", "A + 1"),
        ("(A * B) + 1", "A * B + 1"),
        ("A - (B - 1)", "A - (B - 1)"),
        ('CHANNEL=="web"', "CHANNEL == 'web'"),
        ("not(FLAG)and(A<1)", "not FLAG and A < 1"),
        ("field('A') + 1e3", "A + 1000"),
        ("count(window='48h',by=[CUSTOMER])", "count(by=CUSTOMER, window='2d')"),
        (
            "fraud_rate(where=FLAG, delay='0d', window='90m', by=CUSTOMER)",
            "fraud_rate(by=CUSTOMER, window='90m', where=FLAG)",
        ),
    ],
)
def test_the_canonical_text_is_one_for_all_that_means_the_same(source: str, canonical: str) -> None:
    assert compile_expression(source, KINDS).source == canonical  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["odd name", "class", "it's", "True", "9", "ﬁeld", "a\\b", "é "])
def test_a_field_of_any_name_can_be_named(name: str) -> None:
    source = f"field({name!r}) * 2"
    expression = compile_expression(source, {name: "number"})
    assert expression.source == source
    assert expression.evaluate({name: np.array([2.0])}).tolist() == [4.0]


def test_an_identifier_with_letters_beyond_ascii_names_a_field() -> None:
    assert compile_expression("größe", {"größe": "number"}).source == "größe"


def test_conditions_are_of_kind_boolean_and_all_else_of_kind_number() -> None:
    kinds = {source: compile_expression(source, KINDS).kind for source in ("A < 1", "A", "FLAG")}  # type: ignore[arg-type]
    assert kinds == {"A < 1": "boolean", "A": "number", "FLAG": "boolean"}


def test_no_value_raises_a_warning(recwarn: pytest.WarningsRecorder) -> None:
    value_of("1 / A + log(B) + sqrt(B) + 1e308 * B ** 3", A=0.0, B=-1e200)
    assert len(recwarn) == 0
