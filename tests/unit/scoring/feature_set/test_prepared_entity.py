"""Windows of prepared past events have the bits that they have of single ones."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scoring.columns import FloatArray
from scoring.event_type.event import Event
from scoring.event_type.records import record_of
from scoring.event_type.timestamps import Timestamp
from scoring.event_type.validation import EventValidator
from scoring.event_type.values import Value
from scoring.feature_set.entity_windows import EntityWindows
from scoring.feature_set.prepared_entity import PreparedEntity
from scoring.windows.definition import DAY_US
from scoring.windows.fraud_times import NEVER_US
from scoring.windows.records import NO_ID, EntityPast
from tests.support.event_types import NOW_US, an_event_type
from tests.support.own_models import features_of

CARDS = an_event_type(
    TERMINAL_ID={"kind": "entity", "entity": "terminal", "role": "payee", "optional": True},
    TX_AMOUNT={"kind": "number", "role": "amount", "optional": True},
)
FEATURES = features_of(
    {
        "count": "count(by=CUSTOMER_ID, window='30d')",
        "large": "count(by=CUSTOMER_ID, window='1d', where=TX_AMOUNT > 60)",
        "sum": "sum(TX_AMOUNT, by=CUSTOMER_ID, window='3d')",
        "sum_web": "sum(TX_AMOUNT, by=CUSTOMER_ID, window='3d', where=CHANNEL == 'web')",
        "mean": "mean(TX_AMOUNT, by=CUSTOMER_ID, window='90d')",
        "spread": "std(TX_AMOUNT, by=CUSTOMER_ID, window='7d')",
        "spread_of_root": "std(sqrt(TX_AMOUNT), by=CUSTOMER_ID, window='30d')",
        "largest": "max(TX_AMOUNT, by=CUSTOMER_ID, window='30d')",
        "smallest": "min(TX_AMOUNT, by=CUSTOMER_ID, window='90d', where=CHANNEL in ['web', 'pos'])",
        "terminals": "distinct(TERMINAL_ID, by=CUSTOMER_ID, window='30d')",
        "on_web": "distinct(TERMINAL_ID, by=CUSTOMER_ID, window='9d', where=CHANNEL == 'web')",
        "amounts": "distinct(TX_AMOUNT, by=CUSTOMER_ID, window='90d')",
        "customers": "distinct(CUSTOMER_ID, by=CUSTOMER_ID, window='1d')",
        "last": "seconds_since_last(by=CUSTOMER_ID)",
        "last_large": "seconds_since_last(by=CUSTOMER_ID, where=TX_AMOUNT > 400)",
        "first": "first_seen(by=CUSTOMER_ID)",
        "risk": "fraud_rate(by=CUSTOMER_ID, window='28d', delay='7d')",
        "web_risk": "fraud_rate(by=CUSTOMER_ID, window='9d', delay='1h', where=CHANNEL == 'web')",
        "pair": "count(by=[CUSTOMER_ID, TERMINAL_ID], window='30d')",
        "pair_sum": "sum(TX_AMOUNT, by=[CUSTOMER_ID, TERMINAL_ID], window='30d')",
        "pair_last": "seconds_since_last(by=[CUSTOMER_ID, TERMINAL_ID])",
        "pair_channels": "distinct(CHANNEL, by=[CUSTOMER_ID, TERMINAL_ID], window='30d')",
        "pair_risk": "fraud_rate(by=[CUSTOMER_ID, TERMINAL_ID], window='28d', delay='7d')",
        "of_customer": "count(by=CUSTOMER_ID, window='7d', where=CUSTOMER_ID == 'C1')",
    },
    CARDS,
)
START_US = 1_760_000_000_000_000
VALIDATOR = EventValidator(CARDS, 1)
MOST_EVENTS = 2700


@dataclass(frozen=True)
class Case:
    """Events of one customer by arrival, and what is known of them.

    Attributes:
        events: events.
        ids: id of each.
        frauds: id and time of each known fraud.
    """

    events: list[Event]
    ids: list[bytes]
    frauds: dict[bytes, int]

    def last(self, count: int) -> Case:
        return Case(self.events[-count:], self.ids[-count:], self.frauds)

    def past(self, rows: slice, frauds: bytes) -> EntityPast:
        own = self.events[rows]
        pairs = zip(self.ids[rows], own, strict=True)
        return EntityPast(len(own), b"".join(i + record_of(event) for i, event in pairs), frauds)


@cache
def a_case(seed: int, count: int, *, has_late_events: bool, is_odd: bool) -> Case:
    rng = np.random.default_rng(seed)
    times = np.sort(rng.integers(0, 100 * DAY_US, count))
    times[rng.random(count) < 0.5] //= 60_000_000 * 60
    times[times < DAY_US // 60_000_000] *= 60_000_000 * 60
    times.sort()
    if has_late_events:
        late = rng.random(count) < 0.1
        times[late] -= rng.integers(0, 5 * DAY_US, late.sum())
    events = []
    for time in times.tolist():
        values: dict[str, Value] = {
            "TX_DATETIME": Timestamp("", START_US + time),
            "CUSTOMER_ID": "C1",
            "TERMINAL_ID": f"T{rng.zipf(1.5) % 300}" if rng.random() < 0.95 else None,
            "TX_AMOUNT": _amount(rng, is_odd) if rng.random() < 0.95 else None,
            "CHANNEL": rng.choice(["pos", "web", "atm"]).item() if rng.random() < 0.9 else None,
        }
        events.append(Event(CARDS, values, START_US + time))
    ids = [rng.bytes(16) for _ in events]
    frauds = {
        own: START_US + int(time + rng.integers(0, 20 * DAY_US))
        for own, time in zip(ids, times, strict=True)
        if rng.random() < 0.1
    }
    return Case(events, ids, frauds)


def _amount(rng: np.random.Generator, is_odd: bool) -> float:
    odd = [0.0, -0.0, 1e-300, 1e15, -1e15, 5e-324, 0.1 + 0.2]
    return float(rng.choice(odd)) if is_odd and rng.random() < 0.2 else round(rng.lognormal(4), 2)


def _iso(time_us: int) -> str:
    return f"{np.datetime64(time_us, 'us')}Z"


def bytes_of(frauds: dict[bytes, int]) -> bytes:
    return b"".join(own + known_us.to_bytes(8) for own, known_us in frauds.items())


def the_windows() -> EntityWindows:
    (windows,) = FEATURES.by_entity
    return windows


def values_of(
    past: EntityPast, prepared: PreparedEntity | None, readers: list[Event], is_seen: Any
) -> FloatArray:
    records = [NO_ID + record_of(event) for event in readers]
    return the_windows().values([past], ["C1"], [prepared], readers, records, is_seen)


def differing(one: FloatArray, other: FloatArray) -> list[str]:
    bits = [np.where(np.isnan(values), np.nan, values).view(np.int64) for values in (one, other)]
    return [
        f"{window.function} by {window.by} where {window.where}"
        for window, a, b in zip(FEATURES.windows, *bits, strict=True)
        if (a != b).any()
    ]


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    sizes=st.tuples(
        st.sampled_from((0, 1, 63, 64, 65, 400, 1023, 1024, 1025, 2500)),
        st.sampled_from((0, 1, 100)),
        st.sampled_from((0, 1, 30)),
    ),
    readers=st.integers(1, 8),
    has_late_events=st.booleans(),
    is_odd=st.booleans(),
)
def test_prepared_events_give_the_bits_that_single_ones_give(
    seed: int, sizes: tuple[int, int, int], readers: int, has_late_events: bool, is_odd: bool
) -> None:
    first, second, single = sizes
    past = first + second + single
    case = a_case(seed % 2, MOST_EVENTS, has_late_events=has_late_events, is_odd=is_odd)
    case = case.last(past + readers)
    rng = np.random.default_rng(seed)
    is_seen = rng.random(readers) < 0.8
    withdrawn = {own: NEVER_US for own in case.frauds if rng.random() < 0.2}
    later = {own: us - DAY_US for own, us in case.frauds.items() if rng.random() < 0.2}
    before = {**case.frauds, **{own: us + 1 for own, us in withdrawn.items() if us < NEVER_US}}
    changes = withdrawn | later
    now = {own: us for own, us in {**case.frauds, **changes}.items() if us != NEVER_US}

    windows = the_windows()
    prepared = windows.prepare(case.past(slice(first), b""), 0)
    prepared = windows.prepare(
        case.past(slice(first, first + second), bytes_of(before)), 0, prepared
    )
    after = case.past(slice(first + second, past), bytes_of(changes))
    own = case.events[past:]
    found = values_of(after, prepared, own, is_seen)
    expected = values_of(case.past(slice(past), bytes_of(now)), None, own, is_seen)
    assert differing(found, expected) == []


def test_events_before_the_time_from_which_on_they_are_complete_are_left_out() -> None:
    case = a_case(1, 300, has_late_events=False, is_odd=False)
    times = [event.time_us for event in case.events]
    since_us = times[100]
    assert since_us is not None
    prepared = the_windows().prepare(case.past(slice(None), b""), since_us)
    assert prepared.columns.time_us.tolist() == [us for us in times if us and us >= since_us]
    assert prepared.since_us == since_us


def test_other_entities_and_events_without_one_are_computed_beside_a_prepared_one() -> None:
    case = a_case(2, 201, has_late_events=False, is_odd=False)
    windows = the_windows()
    others = [
        VALIDATOR.validate(body, NOW_US)
        for body in ({"TX_DATETIME": _iso(START_US + 101 * DAY_US), "CUSTOMER_ID": "C2"},)
    ]
    past = case.past(slice(200), bytes_of(case.frauds))
    prepared = windows.prepare(past, 0)
    events = [case.events[200], others[0], case.events[200]]
    records = [NO_ID + record_of(event) for event in events]
    nothing = EntityPast(0, b"")
    is_seen = np.ones(3, np.bool_)
    keys = ["C1", "C2"]
    found = windows.values([nothing, nothing], keys, [prepared, None], events, records, is_seen)
    expected = windows.values([past, nothing], keys, [None, None], events, records, is_seen)
    assert differing(found, expected) == []


@pytest.mark.parametrize("count", [0, 1, 500])
def test_a_past_without_frauds_has_no_risk(count: int) -> None:
    case = a_case(3, count + 1, has_late_events=False, is_odd=False)
    prepared = the_windows().prepare(case.past(slice(count), b""), 0)
    nothing = EntityPast(0, b"")
    found = values_of(nothing, prepared, case.events[count:], np.ones(1, np.bool_))
    expected = values_of(case.past(slice(count), b""), None, case.events[count:], np.ones(1, bool))
    assert differing(found, expected) == []
