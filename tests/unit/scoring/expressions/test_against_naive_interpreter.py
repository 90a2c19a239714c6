"""Compiled expressions are equal, bit for bit, to a naive interpreter's row by row."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from scoring.columns import FloatArray, TextColumn
from scoring.expressions import CompiledExpression, compile_expression
from scoring.expressions.execution.program import CHUNK_ROWS
from tests.support.expressions.events import PastEvent, columns_of
from tests.support.expressions.naive import Naive
from tests.support.expressions.strategies import (
    CATEGORIES,
    CHANNELS,
    EVENT_TYPE,
    SHOPS,
    conditions,
    events,
    floats,
    numbers,
)

NAIVE = Naive({"CHANNEL": CHANNELS, "KIND": ("a", "b"), "SHOP": SHOPS}, "TIME")
KINDS_ALONE = {field.name: field.kind for field in EVENT_TYPE.fields}


def evaluated(expression: CompiledExpression, rows: Sequence[PastEvent]) -> FloatArray:
    windows = [NAIVE.window_column(definition, rows) for definition in expression.windows]
    return expression.evaluate(columns_of(EVENT_TYPE, [row.values for row in rows]), windows)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.one_of(numbers(3), conditions(3)), st.lists(events(), min_size=1, max_size=6))
def test_values_are_those_of_the_naive_interpreter(source: str, rows: list[PastEvent]) -> None:
    expression = compile_expression(source, EVENT_TYPE, categories=CATEGORIES)
    assert evaluated(expression, rows).tobytes() == NAIVE.numbers(source, rows).tobytes(), source


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.one_of(numbers(3), conditions(3)), st.lists(events(), min_size=1, max_size=4))
def test_an_event_alone_has_the_bits_that_it_has_among_others(
    source: str, rows: list[PastEvent]
) -> None:
    expression = compile_expression(source, EVENT_TYPE, categories=CATEGORIES)
    together = evaluated(expression, rows)
    columns = [columns_of(EVENT_TYPE, [row.values]) for row in rows]
    windows = [NAIVE.window_column(definition, rows) for definition in expression.windows]
    alone = [
        expression.evaluate(one, [values[index : index + 1] for values in windows])
        for index, one in enumerate(columns)
    ]
    assert np.concatenate(alone).tobytes() == together.tobytes()


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.one_of(numbers(3), conditions(3)), st.lists(events(), min_size=1, max_size=4))
def test_what_the_event_type_promises_changes_no_value(source: str, rows: list[PastEvent]) -> None:
    promised = compile_expression(source, EVENT_TYPE, categories=CATEGORIES)
    codes = {**CATEGORIES, "CHANNEL": CHANNELS, "KIND": ("a", "b")}
    unpromised = compile_expression(source, KINDS_ALONE, categories=codes)
    assert evaluated(promised, rows).tobytes() == evaluated(unpromised, rows).tobytes()


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.one_of(numbers(4), conditions(4)))
@example("-BALANCE ** -2 ** 2")
@example("(-BALANCE) ** 2 - (RATE - (RATE - 1)) / (RATE / 2) * 3 % 2")
@example("not (not FLAG) and (SURE or FLAG) and (FLAG == (1 < RATE < 3)) != SURE")
def test_the_canonical_text_compiles_to_the_same_expression(source: str) -> None:
    expression = compile_expression(source, EVENT_TYPE, categories=CATEGORIES)
    again = compile_expression(expression.source, EVENT_TYPE, categories=CATEGORIES)
    assert again == expression


@settings(max_examples=200, deadline=None)
@given(floats, floats, floats)
def test_minimum_and_maximum_of_zeros_are_positive_in_every_position(
    a: float, b: float, c: float
) -> None:
    columns = {"A": np.array([a, b, c] * 9), "B": np.array([b, a, c] * 9)}
    for source, extreme in (("max(A, B, 0)", max), ("min(A, B, 0)", min)):
        values = compile_expression(source, {"A": "number", "B": "number"}).evaluate(columns)
        expected = [float(extreme(x, y, 0.0)) + 0.0 for x, y in zip(*columns.values(), strict=True)]
        assert values.tobytes() == np.array(expected).tobytes()


@pytest.mark.parametrize("rows", [0, CHUNK_ROWS, CHUNK_ROWS + 1, 2 * CHUNK_ROWS + 7])
def test_many_events_have_the_values_of_each_part(rows: int) -> None:
    amounts = np.arange(rows, dtype=np.float64) - 1000
    names = tuple(f"{'MC'[i % 2]}{i}" for i in range(300))
    kinds = {"AMOUNT": "number", "NAME": "entity", "TIME": "timestamp"}
    expression = compile_expression(
        "log(AMOUNT) * starts_with(NAME, 'M') + count(by=NAME, window='1d')",
        kinds,  # type: ignore[arg-type]
    )
    codes = np.arange(rows, dtype=np.int64) % 300
    counts = np.arange(rows, dtype=np.float64)
    values = expression.evaluate({"AMOUNT": amounts, "NAME": TextColumn(codes, names)}, [counts])
    expected = [
        math.log(a) * (i % 2 == 0) + i if (a := i - 1000) > 0 else math.nan for i in range(rows)
    ]
    assert values.tobytes() == np.array(expected, np.float64).tobytes()
