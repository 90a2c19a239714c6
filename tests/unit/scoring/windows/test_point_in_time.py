"""Windows have, bit for bit, the values that their definition gives."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from scoring.columns import FloatArray
from scoring.windows.definition import (
    DAY_US,
    HOPS_US,
    WindowDefinition,
    WindowFunction,
    bounds_us,
    hop_us,
)
from scoring.windows.events import Codes, Events, Labels, joint_codes
from scoring.windows.point_in_time import WindowPlan
from tests.support.expressions.histories import (
    MINUTE_US,
    SECOND_US,
    amounts,
    conditions,
    delays,
    histories_of_amounts,
    histories_of_texts,
    lengths,
    moments,
)
from tests.support.expressions.naive_windows import NaiveEvent, naive_value, naive_window

BY = ("card",)
FUNCTIONS: tuple[WindowFunction, ...] = get_args(WindowFunction)
OF_A_VALUE = ("sum", "mean", "max", "min", "std", "distinct")


def a_window(function: WindowFunction = "count", **changes: object) -> WindowDefinition:
    value = "amount" if function in OF_A_VALUE else None
    definition = WindowDefinition(function, BY, 60 * MINUTE_US, 0, value, None)
    return replace(definition, **changes)  # type: ignore[arg-type]


def columns_of(events: Sequence[NaiveEvent]) -> Events:
    keys = sorted({str(e.key) for e in events if e.key is not None})
    texts = tuple(sorted({e.value for e in events if isinstance(e.value, str)}))
    amount: FloatArray | Codes
    if texts:
        codes = [-1 if e.value is None else texts.index(str(e.value)) for e in events]
        amount = Codes(np.array(codes, np.int64), len(texts))
    else:
        amount = np.array([math.nan if e.value is None else e.value for e in events], np.float64)
    return Events(
        time_us=np.array([e.time_us for e in events], np.int64),
        keys={
            BY: np.array(
                [-1 if e.key is None else keys.index(str(e.key)) for e in events], np.int64
            )
        },
        values={"amount": amount},
        conditions={"large": np.array([e.meets for e in events], np.bool_)},
        labels=Labels(
            np.array([e.known_us is not None for e in events], np.bool_),
            np.array([e.known_us or 0 for e in events], np.int64),
        ),
    )


def values_of(events: Sequence[NaiveEvent], definition: WindowDefinition) -> list[float]:
    return list(WindowPlan([definition]).values(columns_of(events))[0].tolist())


def bits(values: Sequence[float]) -> list[str]:
    return ["nan" if math.isnan(value) else value.hex() for value in values]


def payments(*seconds_and_values: tuple[float, float | None]) -> list[NaiveEvent]:
    return [NaiveEvent(int(s * SECOND_US), "a", value) for s, value in seconds_and_values]


@settings(max_examples=200, deadline=None)
@given(histories_of_amounts, lengths, conditions, delays)
def test_every_value_is_the_one_of_the_definition(
    events: list[NaiveEvent], length: int, where: str | None, delay: int
) -> None:
    columns = columns_of(events)
    for function in FUNCTIONS:
        definition = a_window(function, window_us=length, where=where)
        if function == "fraud_rate":
            definition = replace(definition, delay_us=delay)
        (values,) = WindowPlan([definition]).values(columns)
        assert bits(values.tolist()) == bits(naive_window(events, definition)), function


@settings(max_examples=100, deadline=None)
@given(events=histories_of_texts, length=lengths)
def test_distinct_counts_texts(events: list[NaiveEvent], length: int) -> None:
    definition = a_window("distinct", window_us=length)
    assert values_of(events, definition) == naive_window(events, definition)


@settings(max_examples=300, deadline=None)
@given(values=st.lists(amounts, max_size=60))
@example(values=[1e308, 1e308, -1e308, -1e308, 1.0])
@example(values=[1.0, 2.0**-53, 2.0**-1074])
@example(values=[1.0, 2.0**-53, -(2.0**-1074)])
def test_sums_of_any_numbers_are_correctly_rounded(values: list[float | None]) -> None:
    events = [NaiveEvent(i, "a", value) for i, value in enumerate([*values, None])]
    for function in ("sum", "mean", "std"):
        definition = a_window(function)
        assert bits(values_of(events, definition)) == bits(naive_window(events, definition))


def test_a_sum_has_no_memory_of_values_that_left_the_window() -> None:
    events = payments((0, 1e300), (30, 0.1), (200, 0.2), (210, None))
    assert values_of(events, a_window("sum", window_us=MINUTE_US))[-1] == 0.2


def test_equal_amounts_deviate_by_exactly_zero() -> None:
    events = payments(*((i, 0.1) for i in range(1000)))
    deviations = values_of(events, a_window("std"))
    assert math.isnan(deviations[0])
    assert deviations[1:] == [0.0] * 999


def test_a_long_history_slides_without_a_rounding_error() -> None:
    rng = np.random.default_rng(0)
    amounts = np.round(rng.lognormal(3, 2, 3000), 2).tolist()
    times = np.cumsum(rng.exponential(20, 3000)).tolist()
    events = payments(*zip(times, amounts, strict=True))
    for function in ("sum", "std", "max", "distinct"):
        definition = a_window(function)
        expected = naive_window(events[-300:], definition)[-50:]
        assert bits(values_of(events, definition)[-50:]) == bits(expected)


def test_events_of_one_time_do_not_see_each_other() -> None:
    assert values_of(payments((0, 1.0), (5, 1.0), (5, 1.0), (5, 1.0)), a_window()) == [0, 1, 1, 1]


def test_an_event_does_not_see_one_that_arrives_later() -> None:
    assert values_of(payments((9, 1.0), (5, 1.0), (7, 1.0), (10, 1.0)), a_window()) == [0, 0, 1, 3]


def test_the_start_of_a_window_is_rounded_down_to_its_hop() -> None:
    # An hour's hop is a minute: at 1:00:59 the window still begins at 0:00:00.
    at_the_edge = [NaiveEvent(0, "a"), NaiveEvent(60 * MINUTE_US + 59 * SECOND_US, "a")]
    after_it = [NaiveEvent(0, "a"), NaiveEvent(61 * MINUTE_US, "a")]
    assert values_of(at_the_edge, a_window()) == [0, 1]
    assert values_of(after_it, a_window()) == [0, 0]


def test_a_delayed_window_ends_before_the_delay() -> None:
    rate = a_window("fraud_rate", window_us=DAY_US, delay_us=DAY_US)
    events = [
        NaiveEvent(0, "a", known_us=DAY_US),
        NaiveEvent(DAY_US, "a"),
        NaiveEvent(DAY_US + 1, "a"),
    ]
    assert bits(values_of(events, rate)) == bits([math.nan, math.nan, 1.0])


def test_a_fraud_counts_from_the_moment_its_label_is_known() -> None:
    rate = a_window("fraud_rate")
    times = (0, 10, 20, 30)
    events = [NaiveEvent(t, "a", known_us=20 if t == 0 else None) for t in times]
    assert bits(values_of(events, rate)) == bits([math.nan, 0.0, 0.5, 1 / 3])


def test_an_event_without_a_key_sees_nothing_and_is_not_seen() -> None:
    events = [NaiveEvent(0, None, 1.0), NaiveEvent(1, None, 1.0), NaiveEvent(2, "a", 1.0)]
    assert values_of(events, a_window("sum")) == [0, 0, 0]
    assert bits(values_of(events, a_window("mean"))) == ["nan"] * 3


def test_history_without_a_length_is_90_days() -> None:
    last = a_window("seconds_since_last", window_us=None)
    assert values_of([NaiveEvent(0, "a"), NaiveEvent(90 * DAY_US, "a")], last)[1] == 90 * 86_400
    assert math.isnan(values_of([NaiveEvent(0, "a"), NaiveEvent(91 * DAY_US, "a")], last)[1])


def test_windows_of_one_feature_set_are_computed_together() -> None:
    events = payments((0, 3.0), (10, 4.0), (20, 5.0))
    definitions = [a_window(function) for function in FUNCTIONS]
    together = WindowPlan(definitions).values(columns_of(events))
    for definition, values in zip(definitions, together, strict=True):
        assert bits(values.tolist()) == bits(naive_window(events, definition))


several_windows = st.lists(
    st.builds(
        lambda function, length, where: a_window(function, window_us=length, where=where),
        st.sampled_from(FUNCTIONS),
        lengths,
        conditions,
    ),
    min_size=2,
    max_size=12,
    unique=True,
)


@settings(max_examples=100, deadline=None)
@given(data=st.data(), events=histories_of_amounts)
def test_windows_of_several_lengths_and_conditions_do_not_mix(
    data: st.DataObject, events: list[NaiveEvent]
) -> None:
    definitions = data.draw(several_windows)
    together = WindowPlan(definitions).values(columns_of(events))
    for definition, values in zip(definitions, together, strict=True):
        assert bits(values.tolist()) == bits(naive_window(events, definition))


@settings(max_examples=100, deadline=None)
@given(data=st.data(), events=histories_of_amounts)
def test_readers_have_the_values_that_they_have_among_all(
    data: st.DataObject, events: list[NaiveEvent]
) -> None:
    first = data.draw(st.integers(0, len(events)))
    definition = a_window(data.draw(st.sampled_from(FUNCTIONS)), window_us=data.draw(lengths))
    columns = columns_of(events)
    (among_all,) = WindowPlan([definition]).values(columns)
    (read,) = WindowPlan([definition]).values(columns, first)
    assert bits(read.tolist()) == bits(among_all[first:].tolist())


@settings(max_examples=100, deadline=None)
@given(data=st.data(), events=histories_of_amounts)
def test_an_event_that_is_not_seen_has_values_and_is_in_no_window(
    data: st.DataObject, events: list[NaiveEvent]
) -> None:
    is_seen = data.draw(st.lists(st.booleans(), min_size=len(events), max_size=len(events)))
    definition = a_window(data.draw(st.sampled_from(FUNCTIONS)), window_us=data.draw(lengths))
    columns = replace(columns_of(events), is_seen=np.array(is_seen, np.bool_))
    (values,) = WindowPlan([definition]).values(columns)
    expected = [
        naive_value(list(itertools.compress(events[:i], is_seen)), event, definition)
        for i, event in enumerate(events)
    ]
    assert bits(values.tolist()) == bits(expected)


def test_no_events_have_no_values() -> None:
    assert values_of([], a_window("std")) == []


@given(length=st.integers(MINUTE_US, 90 * DAY_US), time=moments, delay=st.integers(0, DAY_US))
def test_a_window_is_at_most_a_30th_longer_than_its_length(
    length: int, time: int, delay: int
) -> None:
    start, end = bounds_us(time, length, delay)
    assert end == time - delay
    assert start % hop_us(length) == 0
    assert length <= end - start < length * 31 / 30


def test_each_hop_divides_the_next() -> None:
    assert all(b % a == 0 for a, b in itertools.pairwise(HOPS_US))
    assert [hop_us(w * SECOND_US) for w in (60, 3600, 86_400, 30 * 86_400)] == [
        SECOND_US,
        MINUTE_US,
        5 * MINUTE_US,
        DAY_US,
    ]


def test_a_pair_is_equal_where_both_its_entities_are() -> None:
    cards = np.array([3, 3, 0, -1, 3, 3], np.int64)
    terminals = np.array([7, 8, 7, 7, -1, 7], np.int64)
    pairs = joint_codes([cards, terminals])
    assert pairs[0] == pairs[5]
    assert len({pairs[0], pairs[1], pairs[2]}) == 3
    assert pairs[3] == pairs[4] == -1
    assert min(pairs[[0, 1, 2]]) >= 0


def test_a_sum_over_texts_is_refused() -> None:
    with pytest.raises(TypeError, match="'amount' is text"):
        values_of([NaiveEvent(0, "a", "pos")], a_window("sum"))


def test_a_fraud_rate_without_labels_is_refused() -> None:
    events = replace(columns_of(payments((0, 1.0))), labels=None)
    rate = a_window("fraud_rate")
    with pytest.raises(TypeError, match="needs labels"):
        WindowPlan([rate]).values(events)
