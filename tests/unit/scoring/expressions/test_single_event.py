"""The function of one event is equal to the program of many."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from scoring.expressions import Schema, check_expression
from scoring.expressions.execution.program import Program
from scoring.expressions.execution.single_event import SingleEventProgram, single_event_program
from scoring.expressions.execution.translation import translate
from tests.support.expressions.events import PastEvent, Value, columns_of
from tests.support.expressions.strategies import (
    CATEGORIES,
    EVENT_TYPE,
    conditions,
    events,
    floats,
)

SCHEMA = Schema.of(EVENT_TYPE, CATEGORIES)


def compiled(sources: Sequence[str]) -> tuple[Program, SingleEventProgram, int]:
    roots = [check_expression(source, SCHEMA).root for source in sources]
    program, windows = translate(roots, SCHEMA)
    return program, single_event_program(program), len(windows)


def number_of(value: Value) -> float:
    return math.nan if value is None else float(value)


def outcomes(
    single: SingleEventProgram, conditions: int, event: PastEvent, windows: list[float]
) -> list[float]:
    """Return each condition's value, NaN if it is missing."""
    values: list[object] = [number_of(event.values[name]) for name in single.numbers]
    values += [event.values[name] for name in single.texts]
    fired = single.function([*values, *windows])
    assert fired.true == sorted(fired.true)
    assert not set(fired.true) & set(fired.missing)
    assert {*fired.true, *fired.missing} <= set(range(conditions))
    return [
        1.0 if place in fired.true else math.nan if place in fired.missing else 0.0
        for place in range(conditions)
    ]


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(conditions(3), min_size=1, max_size=5),
    st.lists(events(), min_size=1, max_size=3),
    st.data(),
)
@example(["1 / 0 > 2", "not (1 / 0 > 2)", "True"], [], None)
@example(["is_missing(NOTE) == FLAG", "FLAG", "AMOUNT in [1, 2, -0.5]"], [], None)
def test_one_event_has_the_values_that_it_has_among_many(
    sources: list[str], rows: list[PastEvent], data: st.DataObject | None
) -> None:
    program, single, windows = compiled(sources)
    if data is None:
        values = {field.name: None for field in EVENT_TYPE.fields}
        rows = [PastEvent(values, 0)]
    drawn = [
        [math.nan] * windows
        if data is None
        else data.draw(
            st.lists(st.one_of(st.just(math.nan), floats), min_size=windows, max_size=windows)
        )
        for _ in rows
    ]
    columns = columns_of(EVENT_TYPE, [row.values for row in rows])
    expected = program.matrix(
        columns, list(np.array(drawn, dtype=np.float64).reshape(len(rows), windows).T)
    )
    for row, window_values, among_many in zip(rows, drawn, expected, strict=True):
        alone = outcomes(single, len(sources), row, window_values)
        np.testing.assert_array_equal(alone, among_many)


@pytest.mark.parametrize(
    "source",
    [
        *("AMOUNT > 1 / 0", "AMOUNT > sqrt(-1)", "not (AMOUNT > 1 / 0)", "1 / 0 > 2 or AMOUNT > 3"),
        *("AMOUNT / 0 > 3", "AMOUNT > 3 or AMOUNT * 1e308 * 1e308 > 0"),
    ],
)
def test_where_nothing_that_comes_in_is_missing_a_condition_may_be(source: str) -> None:
    program, single, _ = compiled([source])
    values: dict[str, Value] = dict.fromkeys((field.name for field in EVENT_TYPE.fields), None)
    event = PastEvent(values | {"AMOUNT": 1.0}, 0)
    among_many = program.matrix(columns_of(EVENT_TYPE, [event.values]), [])[0]
    assert np.isnan(among_many).all()
    np.testing.assert_array_equal(outcomes(single, 1, event, []), among_many)


@pytest.mark.parametrize("operator", [" or ", " and "])
def test_the_longest_conditions_compile(operator: str) -> None:
    source = operator.join(f"RATE != {place}" for place in range(1, 250))
    _, single, _ = compiled([source, "RATE > 1" + " + 1" * 90, "(" * 99 + "RATE > 3" + ")" * 99])
    assert single.function([100.0]) == ([0, 1, 2] if operator == " or " else [1, 2], [])


def test_no_text_of_a_condition_is_in_the_source_of_its_function() -> None:
    _, single, _ = compiled(["NOTE == '\\'); import os #' or starts_with(NOTE, 'import')"])
    code = single.function.__code__
    assert not any("import" in str(constant) for constant in code.co_consts)
    assert single.function(["'); import os #"]).true == [0]
