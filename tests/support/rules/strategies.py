"""Hypothesis strategies of rules, lists and scored payments."""

from __future__ import annotations

import itertools

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


# A rule has no codes of an open category: they are those of a model's training.
_of_events = conditions(2).map(lambda text: text.replace("code(SHOP)", "code(CHANNEL)"))
_parts = st.one_of(st.sampled_from(_SCORED), _of_events)
_joined = st.sampled_from((None, None, None, "and", "or", "and not"))
_settings_of_a_rule = st.sampled_from(
    list(itertools.product((1, 2, 3), OUTCOMES, ("live", "live", "shadow", "off"), (0, 1, 2)))
)
_snoozed = [(entity, value) for entity, values in _VALUES.items() for value in values]
_snoozes = st.lists(
    st.sampled_from(list(itertools.product((1, 2, 3, 4), _snoozed, range(6)))), max_size=3
)
_entries = st.lists(
    st.tuples(
        st.sampled_from([(one.id, value) for one in LISTS for value in _VALUES[one.entity]]),
        st.sampled_from((*[None] * 6, *range(6))),
    ),
    unique_by=lambda entry: entry[0],
    max_size=5,
)


@st.composite
def rule_conditions(draw: st.DrawFn) -> str:
    """Return the condition of a rule."""
    first, joined = draw(_parts), draw(_joined)
    return first if joined is None else f"({first}) {joined} ({draw(_parts)})"


_rules = st.lists(st.tuples(rule_conditions(), _settings_of_a_rule), max_size=4)


@st.composite
def rule_sets(draw: st.DrawFn) -> RuleSet:
    rules = (
        Rule(rule_id, version, f"rule {rule_id}", condition, action, state, priority)
        for rule_id, (condition, (version, action, state, priority)) in enumerate(draw(_rules), 1)
    )
    snoozes = (
        Snooze(rule_id, entity, value, until_ms)
        for rule_id, (entity, value), until_ms in draw(_snoozes)
    )
    return RuleSet(tuple(rules), LISTS, tuple(snoozes))


@st.composite
def list_entries(draw: st.DrawFn) -> list[ListEntry]:
    """Return entries, at most one of each list and value."""
    return [
        ListEntry(number, list_id, value, "a reason", "ana", expires_ms)
        for number, ((list_id, value), expires_ms) in enumerate(draw(_entries), start=100)
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
