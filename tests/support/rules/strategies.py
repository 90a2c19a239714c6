"""Hypothesis strategies of rules, lists and scored payments."""

from __future__ import annotations

from hypothesis import strategies as st

from scoring.event_type.event import Event
from scoring.event_type.timestamps import Timestamp
from scoring.expressions.nodes import ValueKind
from scoring.lists.entity_list import EntityList, ListEntry
from scoring.policy import OUTCOMES, Thresholds
from scoring.rules.rule import Rule, RuleSet, Snooze
from tests.support.expressions.events import PastEvent
from tests.support.expressions.strategies import EVENT_TYPE, conditions, floats

FEATURES: dict[str, ValueKind] = {"ratio": "number", "odd one": "number", "is_new": "boolean"}
ENTITIES = {one.name: one.entity for one in EVENT_TYPE.fields if one.entity is not None}
LISTS = (
    EntityList(1, "trusted", "customer", "approve"),
    EntityList(2, "blocked", "customer", "decline"),
    EntityList(3, "blocked-terminals", "terminal", "decline", ("TERMINAL",)),
    EntityList(4, "watched", "customer"),
    EntityList(5, "trusted-terminals", "terminal", "approve", ("TERMINAL",)),
)
_VALUES = {"customer": ("M1", "C2", "x"), "terminal": ("T1", "T2")}
_SCORED = (
    "score >= 0.5",
    "0.25 < score < BALANCE",
    "is_new",
    "feature('is_new') == FLAG",
    "ratio > feature('odd one')",
    "is_missing(ratio)",
    "in_list('watched', CUSTOMER)",
    "in_list('blocked-terminals', TERMINAL)",
    "is_missing(in_list('watched', CUSTOMER))",
    "in_list('watched', CUSTOMER) == in_list('trusted', CUSTOMER)",
    "not in_list('trusted', CUSTOMER)",
)
times_ms = st.integers(0, 5)


@st.composite
def rule_conditions(draw: st.DrawFn) -> str:
    """Return the condition of a rule."""
    # A rule has no codes of an open category: they are those of a model's training.
    of_events = conditions(2).map(lambda text: text.replace("code(SHOP)", "code(CHANNEL)"))
    first = draw(st.one_of(st.sampled_from(_SCORED), of_events))
    if draw(st.booleans()):
        return first
    other = draw(st.one_of(st.sampled_from(_SCORED), of_events))
    return f"({first}) {draw(st.sampled_from(['and', 'or', 'and not']))} ({other})"


@st.composite
def rules(draw: st.DrawFn, rule_id: int) -> Rule:
    return Rule(
        rule_id,
        draw(st.integers(1, 3)),
        f"rule {rule_id}",
        draw(rule_conditions()),
        draw(st.sampled_from(OUTCOMES)),
        draw(st.sampled_from(["live", "live", "shadow", "off"])),
        draw(st.integers(0, 2)),
    )


@st.composite
def snoozes(draw: st.DrawFn) -> Snooze:
    entity = draw(st.sampled_from(["customer", "terminal"]))
    value = draw(st.sampled_from(_VALUES[entity]))
    return Snooze(draw(st.integers(1, 4)), entity, value, draw(times_ms))


@st.composite
def rule_sets(draw: st.DrawFn) -> RuleSet:
    count = draw(st.integers(0, 4))
    return RuleSet(
        tuple(draw(rules(rule_id)) for rule_id in range(1, count + 1)),
        LISTS,
        tuple(draw(st.lists(snoozes(), max_size=3))),
    )


@st.composite
def list_entries(draw: st.DrawFn) -> list[ListEntry]:
    """Return entries, at most one of each list and value."""
    pairs = [(one.id, value) for one in LISTS for value in _VALUES[one.entity]]
    chosen = draw(st.lists(st.sampled_from(pairs), unique=True, max_size=5))
    return [
        ListEntry(number, list_id, value, "a reason", "ana", draw(st.one_of(st.none(), times_ms)))
        for number, (list_id, value) in enumerate(chosen, start=100)
    ]


thresholds = st.one_of(
    st.just(Thresholds(0.5)),
    st.just(Thresholds(0.25, 0.5)),
    st.just(Thresholds(0.5, 0.5)),
)
scores = st.sampled_from([0.0, 0.1, 0.25, 0.4, 0.5, 0.75, 1.0])
feature_values = st.fixed_dictionaries(
    {
        "ratio": st.one_of(st.none(), floats),
        "odd one": st.one_of(st.none(), floats),
        "is_new": st.one_of(st.none(), st.booleans()),
    }
)


def as_sent(event: PastEvent) -> PastEvent:
    """Return an event whose timestamps are whole microseconds, as sent events have them."""
    values = {
        name: round(value * 1e6) / 1e6 if name in ("TIME", "BORN") and value is not None else value  # type: ignore[operator]
        for name, value in event.values.items()
    }
    return PastEvent(values, event.time_us, event.is_fraud, event.known_at_us)


def event_of(event: PastEvent) -> Event:
    """Return the validated event with the same values."""
    values = {
        name: Timestamp("", round(value * 1e6))  # type: ignore[operator]
        if name in ("TIME", "BORN") and value is not None
        else value
        for name, value in event.values.items()
    }
    return Event(EVENT_TYPE, values, event.time_us)  # type: ignore[arg-type]
