"""Any text whatsoever either compiles or is refused with a sentence, in bounded time."""

from __future__ import annotations

import itertools
import sys
import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scoring.errors import InvalidExpression
from scoring.event_type.fields import EventType
from scoring.expressions import MAX_LENGTH, CompiledExpression, compile_expression
from tests.support.expressions.events import a_field
from tests.support.expressions.strategies import CATEGORIES, EVENT_TYPE, conditions, numbers

MOST_SECONDS = 3.0
"""Far above what any text takes (0.2 s), so that a busy machine does not fail the tests."""

TOKENS = [
    *("AMOUNT", "BALANCE", "CHANNEL", "CUSTOMER", "NOTE", "TIME", "FLAG", "field", "zzz"),
    *("count", "sum", "mean", "max", "min", "log", "where", "code", "hour", "fraud_rate"),
    *("by=", "window=", "where=", "delay=", "'1d'", "'odd name'", "''", "'pos'", "[", "]"),
    *("(", ")", ",", "+", "-", "*", "/", "%", "**", "//", "<", "==", "!=", "=", ":=", "~"),
    *(" and ", " or ", " not ", " in ", " is ", " if ", " else ", "lambda ", " for ", "None"),
    *("1", "0", "1e400", "9" * 50, "0x", "1_0", "1j", ".", "{", "}", "f'{", "b'", '"""', "\\"),
    *("True", "False", "#", "\n", "\t", "\0", "é", "\ud800", "\u202e", "ﬁ", ":", ";", "@", "!"),
]
# Hypothesis spends its time on each draw, so tokens come in pairs; a pair may be one token.
pairs = st.sampled_from(["".join(pair) for pair in itertools.product(TOKENS, ("", *TOKENS))])


def outcome(source: str, event_type: EventType = EVENT_TYPE) -> CompiledExpression | None:
    """Return what a text compiles to; None if it is refused, after checks of the refusal."""
    started = time.perf_counter()
    compiled, refusal = compiled_or_refused(source, event_type)
    assert time.perf_counter() - started < MOST_SECONDS
    if refusal is not None:
        assert refusal.detail.endswith((".", "?"))
        assert 1 <= refusal.column <= refusal.end_column <= max(1, len(refusal.source))
        line, carets, message = refusal.pointed().split("\n")
        assert len(line) <= 92
        assert set(carets) in ({" ", "^"}, {"^"})
        assert message == refusal.detail
    return compiled


def compiled_or_refused(
    source: str, event_type: EventType
) -> tuple[CompiledExpression | None, InvalidExpression | None]:
    try:
        return compile_expression(source, event_type, categories=CATEGORIES), None
    except InvalidExpression as error:
        return None, error


@settings(max_examples=1000, deadline=None)
@given(st.one_of(st.text(), st.text(st.characters(), max_size=20)))
def test_any_characters(source: str) -> None:
    outcome(source)


@settings(max_examples=1000, deadline=None)
@given(st.lists(pairs, max_size=20).map("".join))
def test_any_sequence_of_tokens(source: str) -> None:
    outcome(source)


@settings(max_examples=500, deadline=None)
@given(st.one_of(numbers(3), conditions(3)), st.data())
def test_an_expression_with_a_part_cut_out_or_put_in(source: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(source)))
    end = data.draw(st.integers(start, min(len(source), start + 5)))
    outcome(source[:start] + data.draw(st.sampled_from(["", *TOKENS])) + source[end:])


@pytest.mark.parametrize(
    "opening",
    [
        *("(", "[", "{", "-", "not ", "abs(", "f'{", "lambda:", "1+", "a.", "x[", "~", "'", "1<"),
        *("1 if 1 else ", "**", "\\", "max(*", "max(**", "await ", "1,", "(yield ", "(1<"),
    ],
)
@pytest.mark.parametrize("ending", ["", "1", "FLAG"])
def test_as_much_nesting_as_the_length_allows(opening: str, ending: str) -> None:
    outcome(opening * ((MAX_LENGTH - len(ending)) // len(opening)) + ending)


@pytest.mark.parametrize(
    "source",
    [
        "x" * MAX_LENGTH,
        "x" * 10**6,
        "9" * MAX_LENGTH,
        "0x" + "f" * 3_000,
        "9" * 3_000 + "j",
        "1e" + "9" * 3_000,
        "10 ** 5000 ** 5000",
        "9" * 300 + " ** " + "9" * 300,
        "AMOUNT in [" + ",".join(["1"] * 1_900) + "]",
        "+".join(["count(by=CUSTOMER,window='1d')"] * 95),
        "max(" + ",".join(f"mean(RATE,by=CUSTOMER,window='{n}m')" for n in range(1, 95)) + ")",
        "NOTE in [" + ",".join(["'\\U0001f600'"] * 250) + "]",
        "AMOUNT" + "\u0301" * 3_000,
        "1 + é" * 700,
        "<".join(["AMOUNT"] * 500),
        " and ".join(["FLAG"] * 400),
    ],
)
def test_large_expressions(source: str) -> None:
    outcome(source)


def test_a_long_unknown_name_among_many_long_fields() -> None:
    fields = tuple(a_field("ab" * 60 + f"{n:04d}", "number") for n in range(500))
    assert outcome("ba" * 62, EventType("wide", None, fields)) is None


@pytest.mark.parametrize(
    ("opening", "ending"), [("abs(", ")"), ("(1 < ", ")"), ("max(1, ", ")"), ("not (", ")")]
)
def test_a_caller_that_is_deep_in_its_own_stack(opening: str, ending: str) -> None:
    source = opening * 95 + ("FLAG" if opening == "not (" else "AMOUNT") + ending * 95
    outcomes = []

    def descend(levels: int) -> None:
        if levels:
            descend(levels - 1)
        else:
            outcomes.append(outcome(source))

    for levels in range(0, sys.getrecursionlimit() - 150, 40):
        thread = threading.Thread(target=descend, args=(levels,))
        thread.start()
        thread.join()
    assert len(outcomes) == len(range(0, sys.getrecursionlimit() - 150, 40))
    assert outcomes[0] is not None
    assert outcomes[-1] is None
