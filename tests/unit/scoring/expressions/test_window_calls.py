"""A call of a window is its definition; windows that mean the same are one."""

from __future__ import annotations

import numpy as np
import pytest

from scoring.expressions import compile_expression
from scoring.windows.definition import WindowDefinition
from tests.support.expressions.values import KINDS, value_of

DAY_US = 86_400_000_000


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
