"""Hypothesis strategies of events and of well-typed expressions over them.

Hypothesis validates a strategy when it is first drawn from, so each is made once, not per draw.
"""

from __future__ import annotations

from functools import cache

from hypothesis import strategies as st

from scoring.event_type.fields import EventType
from tests.support.expressions.events import PastEvent, a_field

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
texts = st.sampled_from(["", "a", "M1", "Mé", "C2", "books", "😀x"])


def _maybe(values: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    return st.one_of(st.none(), values)


_FIELDS: dict[str, st.SearchStrategy[object]] = {
    "BORN": _maybe(times_us.map(lambda us: us / 1e6)),
    "AMOUNT": _maybe(floats),
    "BALANCE": floats,
    "odd name": st.floats(-10, 10),
    "RATE": st.floats(1, 100),
    "ITEMS": _maybe(st.integers(-(2**53), 2**53).map(float)),
    "FLAG": _maybe(st.booleans()),
    "SURE": st.booleans(),
    "CHANNEL": _maybe(st.sampled_from(CHANNELS)),
    "KIND": st.sampled_from(["a", "b"]),
    "SHOP": _maybe(st.sampled_from([*SHOPS, "toys"])),
    "CUSTOMER": _maybe(st.sampled_from(["M1", "C2"])),
    "TERMINAL": _maybe(st.sampled_from(["T1", "T2"])),
    "NOTE": _maybe(texts),
}
_at_once_or_later = st.one_of(st.none(), st.just("at once"), times_us)


@cache
@st.composite
def events(draw: st.DrawFn) -> PastEvent:
    time_us = draw(times_us)
    values = {"TIME": time_us / 1e6, **{name: draw(of) for name, of in _FIELDS.items()}}
    known = draw(_at_once_or_later)
    known_at_us = time_us if known == "at once" else known
    return PastEvent(values, time_us, draw(st.booleans()), known_at_us)  # type: ignore[arg-type]


literals = st.one_of(
    st.integers(0, 30).map(str),
    st.floats(0, allow_nan=False, allow_infinity=False).map(repr),
    st.sampled_from(["0", "2", "0.5", "1e308", "1_000", "0x10"]),
)
few_literals = st.lists(literals, min_size=1, max_size=3)
leaves = st.one_of(
    st.sampled_from(["AMOUNT", "BALANCE", "field('odd name')", "RATE", "ITEMS", "BALANCE", "RATE"]),
    literals,
)
text_fields = st.sampled_from(["CHANNEL", "SHOP", "CUSTOMER", "NOTE", "KIND"])
operators = st.sampled_from(["+", "-", "*", "/", "%", "**"])
of_one_number = st.sampled_from(["-({})", "abs({})", "log({})", "sqrt({})", "({}) ** 2"])
extremes = st.sampled_from(["min", "max"])
numbers_of_time = st.sampled_from(["hour(TIME)", "weekday(BORN)", "TIME - BORN"])
codes = st.sampled_from(["code(CHANNEL)", "code(SHOP)", "code(KIND)"])

_FORMS = ["arithmetic"] * 4 + ["leaf", "unary", "extreme", "where", "time", "code", "boolean"]
_number_forms = {
    windows: st.sampled_from(_FORMS + ["window"] * 3 * windows) for windows in (False, True)
}


@cache
@st.composite
def numbers(draw: st.DrawFn, depth: int, windows: bool = True) -> str:
    """Return an expression that is a number."""
    if depth <= 0:
        return draw(leaves)
    form = draw(_number_forms[windows])
    number = numbers(depth - 1, windows)
    match form:
        case "arithmetic":
            operator = draw(operators)
            return f"({draw(number)}){operator}({draw(number)})"
        case "unary":
            return draw(of_one_number).format(draw(number))
        case "extreme":
            parts = draw(_two_or_three(number))
            return f"{draw(extremes)}({', '.join(parts)})"
        case "where":
            condition = draw(conditions(depth - 1, windows))
            return f"where({condition}, {draw(number)}, {draw(number)})"
        case "time":
            return draw(numbers_of_time)
        case "code":
            return draw(codes)
        case "boolean":
            return f"({draw(conditions(depth - 1, windows))}) + ({draw(number)})"
        case "window":
            return draw(window_calls())
    return draw(leaves)


simple_conditions = st.sampled_from(["FLAG", "SURE", "True", "False", "is_missing(NOTE)"])
conditions_on_text = st.sampled_from(
    [
        "CHANNEL == 'web'",
        "'pos' != CHANNEL",
        "KIND == 'a'",
        "SHOP == 'food'",
        "CUSTOMER in ['M1', 'x']",
        "NOTE not in ['a', '']",
        "starts_with(CUSTOMER, 'M')",
        "starts_with(NOTE, 'Mé')",
        "starts_with(KIND, 'a')",
    ]
)
conditions_on_time = st.sampled_from(
    ["TIME < BORN", "BORN == TIME", "is_missing(BORN)", "TIME != BORN"]
)
comparisons = st.sampled_from(["<", "<=", ">", ">=", "==", "!="])
memberships = st.sampled_from(["in", "not in"])
logic = st.sampled_from([" and ", " or "])
_condition_forms = st.sampled_from(
    ["compare", "compare", "text", "in", "not", "logic", "missing", "where", "time"]
)


@cache
@st.composite
def conditions(draw: st.DrawFn, depth: int, windows: bool = True) -> str:
    """Return an expression that is a condition."""
    if depth <= 0:
        return draw(simple_conditions)
    form = draw(_condition_forms)
    number, condition = numbers(depth - 1, windows), conditions(depth - 1, windows)
    match form:
        case "compare":
            parts = draw(_two_or_three(number))
            compared = [f" {draw(comparisons)} ({part})" for part in parts[1:]]
            return f"({parts[0]})" + "".join(compared)
        case "text":
            return draw(conditions_on_text)
        case "in":
            listed = ", ".join(draw(few_literals))
            return f"({draw(number)}) {draw(memberships)} [{listed}, -1]"
        case "not":
            return f"not ({draw(condition)})"
        case "logic":
            parts = draw(_two_or_three(condition))
            return draw(logic).join(f"({part})" for part in parts)
        case "missing":
            return f"is_missing({draw(_of_any_kind(depth - 1, windows))})"
        case "where":
            return f"where({draw(condition)}, {draw(condition)}, {draw(condition)})"
    return draw(conditions_on_time)


@cache
def _two_or_three(parts: st.SearchStrategy[str]) -> st.SearchStrategy[list[str]]:
    return st.lists(parts, min_size=2, max_size=3)


@cache
def _of_any_kind(depth: int, windows: bool) -> st.SearchStrategy[str]:
    return st.one_of(numbers(depth, windows), conditions(depth, windows), text_fields)


functions = st.sampled_from(
    [
        *("count", "sum", "mean", "max", "min", "std", "distinct"),
        *("seconds_since_last", "first_seen", "fraud_rate"),
    ]
)
entities = st.sampled_from(["CUSTOMER", "TERMINAL", "[CUSTOMER]", "[TERMINAL, CUSTOMER]"])
# Small numbers: the aggregates themselves are the windows' business, not the language's.
window_numbers = st.sampled_from(["RATE", "RATE * 2 - field('odd name')", "FLAG"])
distinct_values = st.sampled_from(["TERMINAL", "SHOP", "ITEMS", "field('odd name')"])
lengths = st.sampled_from(["60s", "1d", "24h", "7d", "90d", "129600m"])
delays = st.sampled_from(["0s", "12h", "7d"])


@cache
@st.composite
def window_calls(draw: st.DrawFn) -> str:
    """Return a window call."""
    function, by = draw(functions), draw(entities)
    arguments = []
    if function in ("sum", "mean", "max", "min", "std"):
        arguments.append(draw(window_numbers))
    if function == "distinct":
        arguments.append(draw(distinct_values))
    arguments.append(f"by={by}")
    if function not in ("seconds_since_last", "first_seen"):
        arguments.append(f"window='{draw(lengths)}'")
    if function == "fraud_rate" and draw(st.booleans()):
        arguments.append(f"delay='{draw(delays)}'")
    if draw(st.booleans()):
        arguments.append(f"where={draw(conditions(1, False))}")
    return f"{function}({', '.join(arguments)})"
