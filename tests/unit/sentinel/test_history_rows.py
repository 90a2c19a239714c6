"""Past events of entities from columns: the documents of the service, and ids that repeat."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import numpy as np
import orjson
from hypothesis import given
from hypothesis import strategies as st

from persistence.history.writer import PastEvent
from scoring.event_type.columns import column_of
from scoring.event_type.records import record_of
from scoring.event_type.validation import EventValidator
from sentinel import history_rows
from sentinel.history_rows import Documents, past_events
from tests.support.event_types import NOW_US, an_event, an_event_type

FIELDS: dict[str, dict[str, Any]] = {
    "OPENED": {"kind": "timestamp", "optional": True},
    "ITEMS": {"kind": "integer", "optional": True},
    "CHIP": {"kind": "boolean", "optional": True},
    "NOTE": {"kind": "text", "optional": True},
    "DEVICE": {"kind": "entity", "entity": "device", "optional": True},
}
EVENT_TYPE = an_event_type(**FIELDS)


def imported(
    *bodies: dict[str, Any], frauds: tuple[int, ...] = (), tenant: str = "demo"
) -> list[PastEvent]:
    """The past events of the entities of events, which are in order of time."""
    events = [EventValidator(EVENT_TYPE).validate(body, NOW_US) for body in bodies]
    columns = {
        name: column_of(field.kind, [event.values[name] for event in events])
        for name, field in EVENT_TYPE.kept.items()
    }
    time_us = np.array([event.time_us for event in events], np.int64)
    is_fraud = np.isin(np.arange(len(events)), frauds)
    batches = past_events(tenant, EVENT_TYPE, columns, time_us, is_fraud, 1000)
    return [event for batch in batches for event in batch]


texts = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=20)


@given(
    amount=st.floats(0, 1e6),
    opened=st.none() | st.sampled_from(["2018-04-01T00:00:31Z", "2026-01-01T10:00:00.000001Z"]),
    items=st.none() | st.integers(-(2**53) + 1, 2**53 - 1),
    chip=st.none() | st.booleans(),
    note=st.none() | texts,
)
def test_the_record_is_the_one_that_the_service_stores(
    amount: float, opened: str | None, items: int | None, chip: bool | None, note: str | None
) -> None:
    body = an_event(TX_AMOUNT=amount, OPENED=opened, ITEMS=items, CHIP=chip, NOTE=note)
    stored = EventValidator(EVENT_TYPE).validate(body, NOW_US)
    (one, _) = imported(body)
    assert one.record == record_of(stored)
    columns = {
        name: column_of(f.kind, [stored.values[name]]) for name, f in EVENT_TYPE.kept.items()
    }
    (document,) = Documents(EVENT_TYPE, columns).of(np.array([0]))
    assert orjson.loads(document) == stored.document()


def test_each_entity_that_an_event_names_gets_it_in_order_of_time() -> None:
    found = imported(
        an_event(TX_DATETIME="2026-03-30T12:00:00Z", CUSTOMER_ID="a", TERMINAL_ID="t"),
        an_event(TX_DATETIME="2026-03-30T13:00:00Z", CUSTOMER_ID="b", TERMINAL_ID="t", DEVICE="d"),
        an_event(TX_DATETIME="2026-03-30T14:00:00Z", CUSTOMER_ID="a", TERMINAL_ID="u"),
    )
    assert [(e.entity, e.key, e.time_us // 3_600_000_000 % 24) for e in found] == [
        ("CUSTOMER_ID", "a", 12),
        ("CUSTOMER_ID", "a", 14),
        ("CUSTOMER_ID", "b", 13),
        ("TERMINAL_ID", "t", 12),
        ("TERMINAL_ID", "t", 13),
        ("TERMINAL_ID", "u", 14),
        ("DEVICE", "d", 13),
    ]
    assert len({event.event_id for event in found}) == 3


def test_a_fraud_is_known_after_the_delay() -> None:
    (event, _) = imported(an_event(), frauds=(0,))
    assert event.fraud_known_us == event.time_us + 1000
    (event, _) = imported(an_event())
    assert event.fraud_known_us is None


def test_ids_repeat_differ_between_equal_events_and_are_no_uuid7() -> None:
    first = [event.event_id for event in imported(an_event(), an_event())]
    assert first == [event.event_id for event in imported(an_event(), an_event(), frauds=(0, 1))]
    assert len(set(first)) == 2
    assert {UUID(bytes=one).version for one in first} == {8}
    assert not {*first} & {event.event_id for event in imported(an_event(), tenant="other")}


def test_equal_events_are_numbered_across_batches(monkeypatch: Any) -> None:
    whole = imported(*[an_event()] * 5)
    monkeypatch.setattr(history_rows, "BATCH_ROWS", 2)
    assert imported(*[an_event()] * 5) == whole
    assert len({event.event_id for event in whole}) == 5


def test_an_event_without_a_label_says_so() -> None:
    event = EventValidator(EVENT_TYPE).validate(an_event(), NOW_US)
    columns = {
        name: column_of(field.kind, [event.values[name]]) for name, field in EVENT_TYPE.kept.items()
    }
    at = np.array([event.time_us], np.int64)
    honest = np.zeros(1, np.bool_)
    for is_labelled in (True, False):
        batches = past_events("demo", EVENT_TYPE, columns, at, honest, 0, np.array([is_labelled]))
        found = [one for batch in batches for one in batch]
        assert {(one.fraud_known_us, one.is_labelled) for one in found} == {(None, is_labelled)}
