"""Parts of suggested conditions: short numbers that part the same values, and their texts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.backtest.conditions import (
    Interval,
    IsMissing,
    OneOf,
    Part,
    Truth,
    condition_text,
    holds,
    rounded,
    shortened,
    shortest_between,
)
from scoring.backtest.rule_columns import RuleColumn, distinct_columns

NAN = float("nan")
COLUMNS = [
    RuleColumn("AMOUNT", "number", np.array([10.0, 20.0, 30.0, NAN])),
    RuleColumn("CHIP", "boolean", np.array([1.0, 0.0, NAN, 1.0])),
    RuleColumn("SHOP", "category", np.array([0.0, 1.0, 2.0, NAN]), ("a", "it's")),
]
numbers = st.floats(allow_nan=False, allow_infinity=False, width=32)


@given(numbers, numbers)
def test_a_short_number_parts_the_same_values(one: float, other: float) -> None:
    below, above = sorted((one, other))
    if below < above:
        assert below < shortest_between(below, above) <= above


@pytest.mark.parametrize(
    ("below", "above", "short"),
    [(3, 4, 4), (0, 1, 1), (0.19873, 0.20012, 0.2), (522.1, 527.9, 525), (-3, -2, -2),
     (1234.5, 1234.6, 1234.6), (999, 1001, 1000)],
)  # fmt: skip
def test_numbers_are_as_short_as_a_person_would_write_them(
    below: float, above: float, short: float
) -> None:
    assert shortest_between(below, above) == short


@pytest.mark.parametrize(
    ("part", "text", "where"),
    [
        (Interval(0, 15.0, None), "AMOUNT >= 15", [False, True, True, False]),
        (Interval(0, None, 20.0), "AMOUNT < 20", [True, False, False, False]),
        (Interval(0, 10.0, 20.5), "10 <= AMOUNT < 20.5", [True, True, False, False]),
        (Interval(0, -0.0, None), "AMOUNT >= 0", [True, True, True, False]),
        (Interval(0, None, None), "not is_missing(AMOUNT)", [True, True, True, False]),
        (IsMissing(0), "is_missing(AMOUNT)", [False, False, False, True]),
        (Truth(1, is_true=True), "CHIP", [True, False, False, True]),
        (Truth(1, is_true=False), "not CHIP", [False, True, False, False]),
        (OneOf(2, (0,), is_negated=False), "SHOP == 'a'", [True, False, False, False]),
        (OneOf(2, (0,), is_negated=True), "SHOP != 'a'", [False, True, True, False]),
        (
            OneOf(2, (0, 1), is_negated=False),
            """SHOP in ['a', "it's"]""",
            [True, True, False, False],
        ),
        (
            OneOf(2, (0, 1), is_negated=True),
            """SHOP not in ['a', "it's"]""",
            [False, False, True, False],
        ),
    ],
)
def test_a_part_has_a_text_and_is_false_where_its_value_is_missing(
    part: Part, text: str, where: list[bool]
) -> None:
    assert part.text(COLUMNS) == text
    assert part.holds(COLUMNS).tolist() == where


def test_a_condition_is_true_where_all_its_parts_are() -> None:
    condition = (Interval(0, 15.0, None), Truth(1, is_true=False))
    assert condition_text(condition, COLUMNS) == "AMOUNT >= 15 and not CHIP"
    assert holds(condition, COLUMNS).tolist() == [False, True, False, False]


def test_a_condition_is_shortened_by_a_part_or_a_bound() -> None:
    both, low, high = Interval(0, 1.0, 9.0), Interval(0, 1.0, None), Interval(0, None, 9.0)
    chip = Truth(1, is_true=True)
    assert list(shortened((both, chip))) == [(chip,), (high, chip), (low, chip), (both,)]
    assert list(shortened((low,))) == []


def test_numbers_are_rounded_to_significant_digits() -> None:
    condition = (Interval(0, 0.01234, 5678.0), Truth(1, is_true=True))
    assert rounded(condition, 2) == (Interval(0, 0.012, 5700.0), Truth(1, is_true=True))


def test_a_column_that_repeats_one_before_is_left_out() -> None:
    again = RuleColumn("feature('amount')", "number", COLUMNS[0].values.copy())
    code = RuleColumn("SHOP", "category", np.array([1.0, 0.0, 2.0, NAN]), ("it's", "a"))
    assert distinct_columns([*COLUMNS, again, code]) == COLUMNS
