"""Hypothesis strategies of events and of well-typed expressions over them."""

from __future__ import annotations

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


@st.composite
def events(draw: st.DrawFn) -> PastEvent:
    time_us = draw(times_us)
    values = {
        "TIME": time_us / 1e6,
        "BORN": draw(_maybe(times_us.map(lambda us: us / 1e6))),
        "AMOUNT": draw(_maybe(floats)),
        "BALANCE": draw(floats),
        "odd name": draw(st.floats(-10, 10)),
        "RATE": draw(st.floats(1, 100)),
        "ITEMS": draw(_maybe(st.integers(-(2**53), 2**53).map(float))),
        "FLAG": draw(_maybe(st.booleans())),
        "SURE": draw(st.booleans()),
        "CHANNEL": draw(_maybe(st.sampled_from(CHANNELS))),
        "KIND": draw(st.sampled_from(["a", "b"])),
        "SHOP": draw(_maybe(st.sampled_from([*SHOPS, "toys"]))),
        "CUSTOMER": draw(_maybe(st.sampled_from(["M1", "C2"]))),
        "TERMINAL": draw(_maybe(st.sampled_from(["T1", "T2"]))),
        "NOTE": draw(_maybe(texts)),
    }
    known_at_us = draw(st.one_of(st.none(), st.just(time_us), times_us))
    return PastEvent(values, time_us, draw(st.booleans()), known_at_us)  # type: ignore[arg-type]


def _literals() -> st.SearchStrategy[str]:
    return st.one_of(
        st.integers(0, 30).map(str),
        st.floats(0, allow_nan=False, allow_infinity=False).map(repr),
        st.sampled_from(["0", "2", "0.5", "1e308", "1_000", "0x10"]),
    )


NUMBERS = ["AMOUNT", "BALANCE", "field('odd name')", "RATE", "ITEMS", "BALANCE", "RATE"]
TEXT_FIELDS = ["CHANNEL", "SHOP", "CUSTOMER", "NOTE", "KIND"]


@st.composite
def numbers(draw: st.DrawFn, depth: int, windows: bool = True) -> str:
    """Return an expression that is a number."""
    if depth <= 0:
        return draw(st.one_of(st.sampled_from(NUMBERS), _literals()))
    forms = ["arithmetic"] * 4 + ["leaf", "unary", "extreme", "where", "time", "code", "boolean"]
    form = draw(st.sampled_from(forms + ["window"] * 3 * windows))
    number = numbers(depth - 1, windows)
    match form:
        case "arithmetic":
            operator = draw(st.sampled_from(["+", "-", "*", "/", "%", "**"]))
            return f"({draw(number)}){operator}({draw(number)})"
        case "unary":
            return draw(
                st.sampled_from(["-({})", "abs({})", "log({})", "sqrt({})", "({}) ** 2"])
            ).format(draw(number))
        case "extreme":
            parts = draw(st.lists(number, min_size=2, max_size=3))
            return f"{draw(st.sampled_from(['min', 'max']))}({', '.join(parts)})"
        case "where":
            condition = draw(conditions(depth - 1, windows))
            return f"where({condition}, {draw(number)}, {draw(number)})"
        case "time":
            return draw(st.sampled_from(["hour(TIME)", "weekday(BORN)", "TIME - BORN"]))
        case "code":
            return draw(st.sampled_from(["code(CHANNEL)", "code(SHOP)", "code(KIND)"]))
        case "boolean":
            return f"({draw(conditions(depth - 1, windows))}) + ({draw(number)})"
        case "window":
            return draw(window_calls())
    return draw(numbers(0))


@st.composite
def conditions(draw: st.DrawFn, depth: int, windows: bool = True) -> str:
    """Return an expression that is a condition."""
    if depth <= 0:
        return draw(st.sampled_from(["FLAG", "SURE", "True", "False", "is_missing(NOTE)"]))
    form = draw(
        st.sampled_from(
            ["compare", "compare", "text", "in", "not", "logic", "missing", "where", "time"]
        )
    )
    number, condition = numbers(depth - 1, windows), conditions(depth - 1, windows)
    operator = st.sampled_from(["<", "<=", ">", ">=", "==", "!="])
    match form:
        case "compare":
            parts = draw(st.lists(number, min_size=2, max_size=3))
            return f"({parts[0]})" + "".join(f" {draw(operator)} ({part})" for part in parts[1:])
        case "text":
            return draw(
                st.sampled_from(
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
            )
        case "in":
            listed = ", ".join(draw(st.lists(_literals(), min_size=1, max_size=3)))
            return f"({draw(number)}) {draw(st.sampled_from(['in', 'not in']))} [{listed}, -1]"
        case "not":
            return f"not ({draw(condition)})"
        case "logic":
            parts = draw(st.lists(condition, min_size=2, max_size=3))
            return draw(st.sampled_from([" and ", " or "])).join(f"({part})" for part in parts)
        case "missing":
            return f"is_missing({draw(st.one_of(number, condition, st.sampled_from(TEXT_FIELDS)))})"
        case "where":
            return f"where({draw(condition)}, {draw(condition)}, {draw(condition)})"
    return draw(
        st.sampled_from(["TIME < BORN", "BORN == TIME", "is_missing(BORN)", "TIME != BORN"])
    )


@st.composite
def window_calls(draw: st.DrawFn) -> str:
    """Return a window call."""
    function = draw(
        st.sampled_from(
            [
                *("count", "sum", "mean", "max", "min", "std", "distinct"),
                *("seconds_since_last", "first_seen", "fraud_rate"),
            ]
        )
    )
    by = draw(st.sampled_from(["CUSTOMER", "TERMINAL", "[CUSTOMER]", "[TERMINAL, CUSTOMER]"]))
    arguments = []
    if function in ("sum", "mean", "max", "min", "std"):
        # Small numbers: the aggregates themselves are the windows' business, not the language's.
        arguments.append(draw(st.sampled_from(["RATE", "RATE * 2 - field('odd name')", "FLAG"])))
    if function == "distinct":
        arguments.append(draw(st.sampled_from(["TERMINAL", "SHOP", "ITEMS", "field('odd name')"])))
    arguments.append(f"by={by}")
    if function not in ("seconds_since_last", "first_seen"):
        arguments.append(
            f"window='{draw(st.sampled_from(['60s', '1d', '24h', '7d', '90d', '129600m']))}'"
        )
    if function == "fraud_rate" and draw(st.booleans()):
        arguments.append(f"delay='{draw(st.sampled_from(['0s', '12h', '7d']))}'")
    if draw(st.booleans()):
        arguments.append(f"where={draw(conditions(1, False))}")
    return f"{function}({', '.join(arguments)})"
