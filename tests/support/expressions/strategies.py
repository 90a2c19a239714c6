"""Hypothesis strategies of events and of well-typed expressions over them.

Hypothesis validates a strategy when it is first drawn from, so each is made once, not per draw.
Its time goes into draws, so what is sampled is drawn at once: an event's texts and booleans
together, an operator with the form of its expression.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable
from functools import cache

from hypothesis import strategies as st

from scoring.event_type.fields import EventType
from tests.support.expressions.events import PastEvent, Value, a_field

CHANNELS = ("pos", "web", "atm")
SHOPS = ("books", "food")
"""Learned values of the open category."""
CATEGORIES = {"SHOP": SHOPS}
EVENT_TYPE = EventType(
    "card_payment",
    "IS_FRAUD",
    (
        a_field("TIME", "timestamp", role="time"),
        a_field("BORN", "timestamp"),
        a_field("AMOUNT", "number", role="amount"),
        a_field("BALANCE", "number", optional=False),
        a_field("odd name", "number", optional=False, bounds=(-10.0, 10.0)),
        a_field("RATE", "number", optional=False, bounds=(1.0, 100.0)),
        a_field("ITEMS", "integer"),
        a_field("FLAG", "boolean"),
        a_field("SURE", "boolean", optional=False),
        a_field("CHANNEL", "category", values=CHANNELS),
        a_field("KIND", "category", values=("a", "b"), optional=False),
        a_field("SHOP", "category"),
        a_field("CUSTOMER", "entity", entity="customer"),
        a_field("TERMINAL", "entity", entity="terminal"),
        a_field("NOTE", "text"),
    ),
)

floats = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([0.0, -0.0, 1.0, -1.0, 2.0, 1e308, -1e308, 5e-324]),
    st.integers(-1000, 1000).map(float),
)
times_us = st.one_of(
    st.integers(0, 4_000_000_000 * 10**6),
    # Close together, so that windows see them.
    st.integers(0, 40).map(lambda step: 1_700_000_000_000_000 + step * 43_200_000_000),
)

_SAMPLED = {
    "FLAG": (None, False, True),
    "SURE": (False, True),
    "CHANNEL": (None, *CHANNELS),
    "KIND": ("a", "b"),
    "SHOP": (None, *SHOPS, "toys"),
    "CUSTOMER": (None, "M1", "C2"),
    "TERMINAL": (None, "T1", "T2"),
    "NOTE": (None, "", "a", "M1", "Mé", "C2", "books", "😀x"),
}
sampled_values = st.sampled_from(list(itertools.product(*_SAMPLED.values())))
_NUMBERS: dict[str, st.SearchStrategy[float | None]] = {
    "BORN": st.none() | times_us.map(lambda us: us / 1e6),
    "AMOUNT": st.none() | floats,
    "BALANCE": floats,
    "odd name": st.floats(-10, 10),
    "RATE": st.floats(1, 100),
    "ITEMS": st.none() | st.integers(-(2**53), 2**53).map(float),
}
_at_once_or_later = st.one_of(st.none(), st.just("at once"), times_us)


@cache
@st.composite
def events(draw: st.DrawFn) -> PastEvent:
    time_us = draw(times_us)
    values: dict[str, Value] = {"TIME": time_us / 1e6}
    values |= {name: draw(of) for name, of in _NUMBERS.items()}
    values |= zip(_SAMPLED, draw(sampled_values), strict=True)
    known = draw(_at_once_or_later)
    known_at_us = time_us if known == "at once" else known
    return PastEvent(values, time_us, draw(st.booleans()), known_at_us)  # type: ignore[arg-type]


_SLOT = re.compile(r"<(\w+)>")


def _forms(*alike: tuple[int, Iterable[str]]) -> st.SearchStrategy[str]:
    """Sample from groups of forms, each as often as its weight says; `<...>` is drawn after it."""
    forms: list[str] = []
    for weight, group in alike:
        of_group = list(group)
        forms += of_group * max(1, weight * 24 // len(of_group))
    return st.sampled_from(forms)


_OPERATORS = ("+", "-", "*", "/", "%", "**")
_COMPARISONS = ("<", "<=", ">", ">=", "==", "!=")
_TEXT_FIELDS = ("CHANNEL", "SHOP", "CUSTOMER", "NOTE", "KIND")
_FIELDS_OF_NUMBERS = ("AMOUNT", "BALANCE", "RATE", "ITEMS", "field('odd name')")
_LITERALS = (*map(str, range(31)), "0.5", "1e308", "1_000", "0x10")

_literals = _forms((2, _LITERALS), (1, ["<float>"]))
_leaves = _forms((2, _FIELDS_OF_NUMBERS), (1, _LITERALS), (1, ["<float>"]))
_NUMBER_FORMS = (
    (1, ["<leaf>"]),
    (4, [f"(<number>){operator}(<number>)" for operator in _OPERATORS]),
    (1, [f"{form}(<number>)" for form in ("-", "abs", "log", "sqrt")]),
    (1, ["(<number>) ** 2"]),
    (1, [f"{name}(<number>, <number>)" for name in ("min", "max")]),
    (1, [f"{name}(<number>, <number>, <number>)" for name in ("min", "max")]),
    (1, ["where(<condition>, <number>, <number>)"]),
    (1, ["hour(TIME)", "weekday(BORN)", "TIME - BORN"]),
    (1, ["code(CHANNEL)", "code(SHOP)", "code(KIND)"]),
    (1, ["(<condition>) + (<number>)"]),
)
_condition_forms = _forms(
    (1, ["FLAG", "SURE", "is_missing(NOTE)"]),
    (2, [f"(<number>) {comparison} (<number>)" for comparison in _COMPARISONS]),
    (1, [f"(<number>) {one} (<number>) <comparison> (<number>)" for one in _COMPARISONS]),
    (
        1,
        [
            *("CHANNEL == 'web'", "'pos' != CHANNEL", "KIND == 'a'", "SHOP == 'food'"),
            *("CUSTOMER in ['M1', 'x']", "NOTE not in ['a', '']"),
            *("starts_with(CUSTOMER, 'M')", "starts_with(NOTE, 'Mé')", "starts_with(KIND, 'a')"),
        ],
    ),
    (
        1,
        [
            f"(<number>) {membership} [{', '.join(['<literal>'] * count)}, -1]"
            for membership, count in itertools.product(("in", "not in"), (1, 2, 3))
        ],
    ),
    (1, ["not (<condition>)"]),
    (1, [f"(<condition>) {word} (<condition>)" for word in ("and", "or")]),
    (1, [f"(<condition>) {word} (<condition>) {word} (<condition>)" for word in ("and", "or")]),
    (1, ["is_missing(<number>)", "is_missing(<condition>)"]),
    (1, [f"is_missing({name})" for name in _TEXT_FIELDS]),
    (1, ["where(<condition>, <condition>, <condition>)"]),
    (1, ["TIME < BORN", "BORN == TIME", "is_missing(BORN)", "TIME != BORN"]),
)


def _window_forms() -> Iterable[tuple[int, Iterable[str]]]:
    """Every call of a window, the more often the more functions take its arguments."""
    lengths = [f", window='{length}'" for length in ("60s", "1d", "24h", "7d", "90d", "129600m")]
    delays = ["", "", "", *(f", delay='{delay}'" for delay in ("0s", "12h", "7d"))]
    # Small numbers: the aggregates themselves are the windows' business, not the language's.
    numbers = ["RATE, ", "RATE * 2 - field('odd name'), ", "FLAG, "]
    distinct = ["TERMINAL, ", "SHOP, ", "ITEMS, ", "field('odd name'), "]
    entities = ["CUSTOMER", "TERMINAL", "[CUSTOMER]", "[TERMINAL, CUSTOMER]"]
    conditions = ["", ", where=<plain>"]
    for functions, values, ends in (
        (("sum", "mean", "max", "min", "std"), numbers, lengths),
        (("seconds_since_last", "first_seen"), [""], [""]),
        (("distinct",), distinct, lengths),
        (("count",), [""], lengths),
        (("fraud_rate",), [""], [length + delay for length in lengths for delay in delays]),
    ):
        product = itertools.product(functions, values, entities, ends, conditions)
        yield (
            len(functions) * 8,
            [f"{name}({value}by={by}{end}{where})" for name, value, by, end, where in product],
        )


_forms_of_numbers = {
    False: _forms(*_NUMBER_FORMS),
    True: _forms(*_NUMBER_FORMS, (4, ["<window>"])),
}
_forms_of_windows = _forms(*_window_forms())
_comparisons = st.sampled_from(_COMPARISONS)
_simple_conditions = st.sampled_from(["FLAG", "SURE", "True", "False", "is_missing(NOTE)"])
_any_floats = st.floats(0, allow_nan=False, allow_infinity=False).map(repr)


@cache
@st.composite
def numbers(draw: st.DrawFn, depth: int, windows: bool = True) -> str:
    """Return an expression that is a number."""
    return _filled(draw, _forms_of_numbers[windows] if depth else _leaves, depth, windows)


@cache
@st.composite
def conditions(draw: st.DrawFn, depth: int, windows: bool = True) -> str:
    """Return an expression that is a condition."""
    return _filled(draw, _condition_forms if depth else _simple_conditions, depth, windows)


def _filled(draw: st.DrawFn, forms: st.SearchStrategy[str], depth: int, windows: bool) -> str:
    """Return a form with all of its `<...>` drawn."""

    def drawn(slot: re.Match[str]) -> str:
        match slot[1]:
            case "number":
                return draw(numbers(depth - 1, windows))
            case "condition":
                return draw(conditions(depth - 1, windows))
            case "window":
                return _filled(draw, _forms_of_windows, depth, windows)
            case "plain":
                return draw(conditions(1, False))
            case "float":
                return draw(_any_floats)
            case "comparison":
                return draw(_comparisons)
        return _filled(draw, {"leaf": _leaves, "literal": _literals}[slot[1]], depth, windows)

    return _SLOT.sub(drawn, draw(forms))
