"""Records of events are read as the columns that the events have."""

from __future__ import annotations

import math
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scoring.columns import TextColumn
from scoring.event import event_columns
from scoring.event_type.event import Event
from scoring.event_type.records import packed_header, packed_integer, packed_text, record_of
from scoring.event_type.validation import EventValidator
from scoring.windows.fraud_times import NEVER_US, known_times
from scoring.windows.records import RecordReader, event_ids
from tests.support.event_types import NOW_US, an_event, an_event_type

CARDS = an_event_type(
    OPENED={"kind": "timestamp", "optional": True},
    ITEMS={"kind": "integer", "optional": True},
    CHIP={"kind": "boolean", "optional": True},
    NOTE={"kind": "text", "optional": True},
)
NUMBERS, TIMESTAMPS = ("TX_AMOUNT", "ITEMS", "CHIP"), ("OPENED", "TX_DATETIME")
TEXTS = ("CUSTOMER_ID", "CHANNEL", "NOTE")
READER = RecordReader("TX_DATETIME", NUMBERS, TIMESTAMPS, TEXTS)
FIRST, SECOND = UUID(int=7).bytes, UUID(int=2**127 + 1).bytes


def event(**values: Any) -> Event:
    return EventValidator(CARDS).validate(an_event(**values), NOW_US)


texts = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=300)
events = st.builds(
    event,
    TX_AMOUNT=st.floats(0, 1e6),
    CUSTOMER_ID=st.sampled_from(["1", "a", "ä€🙂", "x" * 128]),
    CHANNEL=st.none() | st.sampled_from(["pos", "web"]),
    OPENED=st.none() | st.sampled_from(["2018-04-01T00:00:31Z", "2026-01-01T10:00:00.000001Z"]),
    ITEMS=st.none() | st.integers(-(2**53) + 1, 2**53 - 1),
    CHIP=st.none() | st.booleans(),
    NOTE=st.none() | texts,
)


@settings(deadline=None)
@given(st.lists(events, min_size=1, max_size=12))
def test_the_columns_of_records_are_those_of_their_events(some: list[Event]) -> None:
    records = [FIRST + record_of(one) for one in some]
    split = len(some) // 2
    read = READER.read(
        [b"".join(records[:split]), b"".join(records[split:])], [split, len(some) - split]
    )
    assert read.group.tolist() == [0] * split + [1] * (len(some) - split)
    assert read.time_us.tolist() == [one.time_us for one in some]
    expected = event_columns(some, (*NUMBERS, *TIMESTAMPS, *TEXTS))
    for name in (*NUMBERS, *TIMESTAMPS):
        np.testing.assert_array_equal(read.numbers[name], expected[name])
    for name in TEXTS:
        assert values_of(read.text(name)) == values_of(expected[name])


def values_of(column: object) -> list[str | None]:
    assert isinstance(column, TextColumn)
    assert len(set(column.values)) == len(column.values)
    return [None if code < 0 else column.values[code] for code in column.codes.tolist()]


def test_a_field_that_a_record_lacks_is_missing_and_one_that_nobody_wants_is_skipped() -> None:
    read = RecordReader("TX_DATETIME", ("LATER",), (), ("ALSO",)).read(
        [FIRST + record_of(event())], [1]
    )
    assert math.isnan(read.numbers["LATER"][0])
    assert read.text("ALSO").codes.tolist() == [-1]


def test_a_record_may_have_more_fields_than_the_short_form_of_a_map() -> None:
    fields = {f"f{i}": {"kind": "integer", "optional": True} for i in range(200)}
    wide = EventValidator(an_event_type(**fields)).validate(
        an_event(**{name: i for i, name in enumerate(fields)}), NOW_US
    )
    read = RecordReader("TX_DATETIME", tuple(fields)).read([FIRST + record_of(wide)], [1])
    assert [read.numbers[name][0] for name in fields] == list(range(200))


@pytest.mark.parametrize(
    "damaged",
    [
        pytest.param(lambda record: record[:-1], id="it ends early"),
        pytest.param(lambda record: record + b"\x80", id="more follows"),
        pytest.param(lambda record: record[:16] + b"\xc0" + record[17:], id="no map"),
        pytest.param(lambda _: b"", id="nothing"),
        pytest.param(lambda _: FIRST + packed_header(0), id="no time"),
        pytest.param(lambda _: FIRST + packed_header(1) + packed_integer(1), id="no name"),
        pytest.param(lambda _: FIRST + b"\x81" + packed_text("a") + b"\xc1", id="no value"),
        pytest.param(lambda _: FIRST + packed_header(1) + b"\xd9", id="no length"),
        pytest.param(lambda _: FIRST + packed_header(1) + b"\xda\xff\xff" + b"a", id="too long"),
    ],
)  # fmt: skip
def test_bytes_that_are_no_records_are_refused(damaged: Any) -> None:
    with pytest.raises(ValueError, match="no records of events"):
        READER.read([damaged(FIRST + record_of(event()))], [1])


@settings(deadline=None)
@given(st.binary(max_size=80), st.integers(0, 3))
def test_any_bytes_are_read_or_refused(noise: bytes, count: int) -> None:
    try:
        read = RecordReader(None, NUMBERS, (), TEXTS).read([noise], [count])
    except ValueError:
        return
    assert read.ids.shape == (count, 2)


def test_records_of_a_group_are_put_in_order_of_time() -> None:
    hours = (11, 9, 10, 8)
    some = [event(TX_DATETIME=f"2026-03-30T{hour:02d}:00:00Z", NOTE=str(hour)) for hour in hours]
    records = [FIRST + record_of(one) for one in some]
    read = READER.read([b"".join(records[:3]), records[3]], [3, 1]).in_time(3)
    assert values_of(read.text("NOTE")) == ["9", "10", "11", "8"], "the last is not among the 3"
    assert (np.diff(read.time_us[:3]) > 0).all()


def test_frauds_are_found_by_their_ids() -> None:
    def fraud(of: bytes, us: int) -> bytes:
        return of + us.to_bytes(8)

    third = SECOND[:8] + FIRST[8:]
    records = [one + record_of(event()) for one in (FIRST, SECOND, third)]
    ids = READER.read([b"".join(records)], [3]).ids
    assert known_times(ids, b"").tolist() == [NEVER_US] * 3
    stranger = UUID(int=99).bytes
    frauds = fraud(third, 5) + fraud(FIRST, 3) + fraud(stranger, 1)
    assert known_times(ids, frauds).tolist() == [3, NEVER_US, 5]
    assert event_ids(b"".join(records), 3) == {FIRST, SECOND, third}
