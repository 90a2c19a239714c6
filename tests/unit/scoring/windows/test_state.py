"""A state gives, bit for bit, the windows that its events would have given."""

from __future__ import annotations

import math
import sys
from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scoring.windows.definition import DAY_US, WindowDefinition, WindowFunction
from scoring.windows.state import NOT_KNOWN, EntityState, PastEvent, Schema, TileDivided
from scoring.windows.state_bytes import UnreadableState, state_bytes, state_from
from tests.support.naive_windows import NaiveEvent, naive_value

BY = ("card",)
SECOND_US = 1_000_000
MINUTE_US = 60 * SECOND_US
HOUR_US = 60 * MINUTE_US
LENGTHS = (MINUTE_US, HOUR_US, DAY_US, 7 * DAY_US, 30 * DAY_US, 90 * DAY_US)
OF_A_NUMBER = ("sum", "mean", "max", "min", "std")


def windows(delay_us: int = 0) -> list[WindowDefinition]:
    """Every function over every length, with and without a condition."""
    made = []
    for function in get_args(WindowFunction):
        value = "amount" if function in OF_A_NUMBER else None
        value = "terminal" if function == "distinct" else value
        delay = delay_us if function == "fraud_rate" else 0
        made += [
            WindowDefinition(function, BY, length, delay, value, where)
            for length in LENGTHS
            for where in (None, "large")
        ]
    return made


def a_past_event(number: int, event: NaiveEvent, terminal: str | None) -> PastEvent:
    amount = math.nan if event.value is None else float(event.value)
    known_us = NOT_KNOWN if event.known_us is None else event.known_us
    return PastEvent(number, event.time_us, (amount,), (terminal,), (True, event.meets), known_us)


def expected(
    history: list[NaiveEvent],
    terminals: list[str | None],
    event: NaiveEvent,
    definition: WindowDefinition,
) -> float:
    events = history
    if definition.function == "distinct":
        pairs = zip(history, terminals, strict=True)
        events = [replace(past, value=terminal) for past, terminal in pairs]
    return naive_value(events, event, definition)


def bits(value: float) -> str:
    return "nan" if math.isnan(value) else value.hex()


gaps = st.sampled_from(
    (0, 1, SECOND_US, 5 * SECOND_US, MINUTE_US, 31 * MINUTE_US, HOUR_US, DAY_US, 20 * DAY_US)
) | st.integers(0, 3 * DAY_US)
amounts = st.one_of(
    st.none(),
    st.sampled_from((0.0, -0.0, 0.1, -19.99, 1e16, -1e16, math.inf, 5e-324, 1e300)),
    st.integers(-100_000, 100_000).map(lambda cents: cents / 100),
)
actions = st.sampled_from(("nothing", "nothing", "compact", "prune", "store", "merge"))


@settings(max_examples=50, deadline=None)
@given(data=st.data(), delay_us=st.sampled_from((0, 0, HOUR_US, 7 * DAY_US)))
def test_reading_gives_what_the_events_give_whatever_happened_to_the_state(
    data: st.DataObject, delay_us: int
) -> None:
    definitions = windows(delay_us)
    schema = Schema.of(definitions)
    state = EntityState.empty(schema)
    history: list[NaiveEvent] = []
    terminals: list[str | None] = []
    unlabelled: dict[int, PastEvent] = {}
    latest_us, compacted_us = 0, -sys.maxsize
    for number in range(data.draw(st.integers(1, 14), "events")):
        is_late = data.draw(st.integers(0, 4), "late") == 0
        time_us = latest_us + data.draw(gaps, "gap") * (-1 if is_late else 1)
        latest_us = max(latest_us, time_us)
        event = NaiveEvent(
            time_us,
            "a",
            data.draw(amounts),
            data.draw(st.booleans()),
            data.draw(st.none() | gaps, "known after"),
        )
        if event.known_us is not None:
            event = replace(event, known_us=time_us + event.known_us)
        terminal = data.draw(st.sampled_from((None, "x", "y", "z")))
        for past in [p for p in unlabelled.values() if p.known_us <= time_us]:
            del unlabelled[past.id]
            state = state.with_label(replace(past, known_us=NOT_KNOWN), past.known_us)
        try:
            found = state.values(time_us, definitions)
        except TileDivided:
            assert time_us < compacted_us
        else:
            for definition, value in zip(definitions, found, strict=True):
                wanted = expected(history, terminals, event, definition)
                assert bits(value) == bits(wanted), definition
        history.append(event)
        terminals.append(terminal)
        past = a_past_event(number, event, terminal)
        if past.known_us != NOT_KNOWN:
            unlabelled[number] = past
            past = replace(past, known_us=NOT_KNOWN)
        match data.draw(actions, "action"):
            case "merge":
                state = EntityState.empty(schema).with_event(past).merged(state)
                continue
            case "compact":
                state, compacted_us = state.compacted(latest_us), latest_us
            case "prune":
                since_us = latest_us - delay_us - 91 * DAY_US
                state, compacted_us = state.pruned(since_us), max(compacted_us, latest_us)
            case "store":
                state = state_from(state_bytes(state), schema)
        state = state.with_event(past)


def busy_state(events: int, span_us: int) -> tuple[EntityState, list[WindowDefinition]]:
    definitions = windows()
    state = EntityState.empty(Schema.of(definitions))
    rng = np.random.default_rng(0)
    amounts = np.round(rng.lognormal(3, 1, events), 2).tolist()
    made = tuple(
        PastEvent(i, i * span_us // events, (amount,), ("x",), (True, amount > 20))
        for i, amount in enumerate(amounts)
    )
    return replace(state, events=made), definitions


def test_an_entity_with_many_events_takes_no_more_memory_than_its_tiles() -> None:
    for events in (20_000, 60_000):
        state, _ = busy_state(events, 90 * DAY_US)
        compacted = state.compacted(90 * DAY_US)
        assert len(compacted.tiles) < 1_300
        assert len(compacted.events) < 10
        assert len(state_bytes(compacted)) < 400_000


def test_tiles_of_a_busy_entity_give_what_its_events_give() -> None:
    state, definitions = busy_state(5_000, 90 * DAY_US)
    for time_us in (90 * DAY_US, 90 * DAY_US + 1, 97 * DAY_US):
        from_tiles = state.compacted(90 * DAY_US).values(time_us, definitions)
        from_events = state.values(time_us, definitions)
        assert list(map(bits, from_tiles)) == list(map(bits, from_events))


def test_compacting_in_steps_gives_the_tiles_of_compacting_once() -> None:
    state, _ = busy_state(3_000, 40 * DAY_US)
    stepwise = state
    for day in range(0, 41, 5):
        stepwise = stepwise.compacted(day * DAY_US)
    once = state.compacted(40 * DAY_US)
    assert state_bytes(stepwise) == state_bytes(once)


def test_a_read_inside_of_a_tile_is_refused() -> None:
    state, definitions = busy_state(100, 90 * DAY_US)
    with pytest.raises(TileDivided):
        state.compacted(90 * DAY_US).values(10 * DAY_US + 1, definitions)


def test_a_label_counts_until_it_is_taken_back() -> None:
    state, _ = busy_state(10, HOUR_US)
    rate = WindowDefinition("fraud_rate", BY, 7 * DAY_US, 0, None, None)
    for held in (state, state.compacted(2 * DAY_US)):
        labelled = held.with_label(state.events[0], HOUR_US)
        assert labelled.values(2 * DAY_US, [rate]) == [0.1]
        again = labelled.with_label(state.events[0], NOT_KNOWN)
        assert again.values(2 * DAY_US, [rate]) == [0.0]
        assert state_bytes(again) == state_bytes(held)


def test_bytes_of_another_version_or_schema_are_refused() -> None:
    state, _ = busy_state(3, HOUR_US)
    data = state_bytes(state)
    with pytest.raises(UnreadableState, match="version 2"):
        state_from(b"\2" + data[1:], state.schema)
    with pytest.raises(UnreadableState, match="another schema"):
        state_from(data, replace(state.schema, numbers=("other",)))
