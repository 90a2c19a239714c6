"""The limits of an expression: length, depth, number of windows, and where windows are refused."""

from __future__ import annotations

import pytest

from scoring.errors import InvalidExpression
from scoring.event_type.fields import EventType
from scoring.expressions import MAX_DEPTH, MAX_LENGTH, MAX_WINDOWS, compile_expression
from tests.support.expressions.errors import EVENT_TYPE, error_of
from tests.support.expressions.events import a_field


def test_an_expression_has_a_longest_length() -> None:
    longest = "1 " + " " * (MAX_LENGTH - 2)
    assert compile_expression(longest, EVENT_TYPE).source == "1"
    error = error_of(longest + " ")
    assert error.detail == "The expression has 4,001 characters; it may have 4,000."
    assert error.column == MAX_LENGTH + 1
    # Its canonical form has a space behind each comma.
    grown = error_of("+".join(["max(" + ",".join(["1"] * 99) + ")"] * 19))
    assert "characters in its canonical form; it may have 4,000." in grown.detail


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("abs(", ")"),
        ("-", ""),
        ("not ", ""),
        ("(1 + ", ")"),
        ("1 + ", ""),
        ("where(FLAG, 1, ", ")"),
        ("(1 < ", ")"),
    ],
)
def test_an_expression_has_a_greatest_depth(before: str, after: str) -> None:
    core = "FLAG" if before == "not " else "1"
    deepest = before * (MAX_DEPTH - 1) + core + after * (MAX_DEPTH - 1)
    assert compile_expression(deepest, EVENT_TYPE).source
    for levels in (MAX_DEPTH, MAX_LENGTH // len(before + after) - 2):
        error = error_of(before * levels + core + after * levels)
        assert "levels deep" in error.detail or "cannot be read" in error.detail


def test_an_expression_has_a_largest_number_of_windows() -> None:
    few = [f"count(by=CUSTOMER_ID,window='{n + 1}h')" for n in range(MAX_WINDOWS + 1)]
    assert len(compile_expression(f"max({','.join(few[:-1])})", EVENT_TYPE).windows) == MAX_WINDOWS
    error = error_of(f"max({','.join(few)})")
    assert error.detail == "The expression has 101 windows; it may have 100."


def test_windows_can_be_refused() -> None:
    error = error_of("TX_AMOUNT > mean(TX_AMOUNT, by=CUSTOMER_ID, window='1d')", is_stateless=True)
    assert error.detail == "This expression may not use windows."
    assert error.column == 13


def test_a_window_needs_events_with_a_time() -> None:
    timeless = EventType("claims", None, (a_field("CUSTOMER_ID", "entity", entity="customer"),))
    with pytest.raises(InvalidExpression, match="no field has the role `time`"):
        compile_expression("count(by=CUSTOMER_ID, window='1d')", timeless)
