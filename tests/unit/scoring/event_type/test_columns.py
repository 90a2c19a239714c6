"""Validated events as columns."""

from __future__ import annotations

from typing import Any

import numpy as np

from scoring.columns import TextColumn
from scoring.event import all_columns, event_columns, has_columns_of
from scoring.event_type.columns import column_of
from scoring.event_type.document import from_document, to_document
from scoring.event_type.validation import EventValidator
from scoring.transaction import PAYSIM
from tests.support.event_types import NOW_US, an_event, an_event_type
from tests.support.factories import a_transaction

EVENT_TYPE = an_event_type(
    new={"kind": "boolean", "optional": True},
    count={"kind": "integer", "optional": True},
    at={"kind": "timestamp", "optional": True},
    note={"kind": "text", "optional": True},
    dropped={"kind": "number", "ignored": True},
)


def columns_of(*bodies: dict[str, Any]) -> Any:
    validator = EventValidator(EVENT_TYPE)
    events = [validator.validate(body, NOW_US) for body in bodies]
    return event_columns(events, list(EVENT_TYPE.kept))


def texts(column: TextColumn) -> list[str | None]:
    return [None if code < 0 else column.values[code] for code in column.codes]


def test_each_kind_has_its_column() -> None:
    columns = columns_of(
        an_event(new=True, count=2, at="1970-01-01T00:00:01.5Z", note="", dropped=1),
        an_event(CUSTOMER_ID="596", CHANNEL=None, new=False),
        an_event(CUSTOMER_ID=7, CHANNEL="pos"),
    )
    assert set(columns) == {field.name for field in EVENT_TYPE.fields} - {"dropped"}
    assert texts(columns["CUSTOMER_ID"]) == ["596", "596", "7"]
    assert texts(columns["CHANNEL"]) == ["web", None, "pos"]
    assert texts(columns["note"]) == ["", None, None]
    assert columns["TX_AMOUNT"].tolist() == [57.16] * 3
    assert columns["TX_DATETIME"].tolist() == [1_774_958_400.0] * 3
    np.testing.assert_array_equal(columns["new"], [1.0, 0.0, np.nan])
    np.testing.assert_array_equal(columns["count"], [2.0, np.nan, np.nan])
    np.testing.assert_array_equal(columns["at"], [1.5, np.nan, np.nan])


def test_only_the_columns_that_are_asked_for_are_made() -> None:
    event = EventValidator(EVENT_TYPE).validate(an_event(), NOW_US)
    assert list(event_columns([event], ["TX_AMOUNT"])) == ["TX_AMOUNT"]
    assert list(event_columns([a_transaction()], ["amount"])) == ["amount"]


def test_a_transaction_has_the_columns_of_its_wire_names() -> None:
    columns = event_columns([a_transaction(), a_transaction(type="DEBIT")], list(PAYSIM.kept))
    assert list(columns) == list(PAYSIM.kept)
    assert columns["amount"].tolist() == [181_250.75] * 2
    assert texts(columns["type"]) == ["TRANSFER", "DEBIT"]
    assert texts(columns["nameDest"]) == ["C553264065"] * 2


def test_a_column_without_rows_keeps_its_type() -> None:
    assert column_of("number", []).dtype == np.float64
    column = column_of("category", [])
    assert column.codes.dtype == np.int64
    assert column.values == ()


def test_a_field_that_an_earlier_version_lacked_is_missing_in_its_events() -> None:
    earlier = EventValidator(an_event_type()).validate(an_event(), NOW_US)
    later = EventValidator(EVENT_TYPE).validate(an_event(note="a"), NOW_US)
    for events, notes in [([earlier, later], [None, "a"]), ([later, earlier], ["a", None])]:
        assert texts(all_columns(EVENT_TYPE, events)["note"]) == notes


def test_events_are_read_by_a_version_whose_columns_they_have() -> None:
    new, needed = {"kind": "text", "optional": True}, {"kind": "text"}
    other = from_document(to_document(EVENT_TYPE) | {"name": "transfers"})
    assert has_columns_of(an_event_type(), EVENT_TYPE)
    assert has_columns_of(EVENT_TYPE, an_event_type())
    assert has_columns_of(an_event_type(note=needed), an_event_type(note=new))
    assert not has_columns_of(an_event_type(), an_event_type(note=needed))
    assert not has_columns_of(an_event_type(note={"kind": "integer"}), an_event_type(note=new))
    assert not has_columns_of(other, EVENT_TYPE)
    assert not has_columns_of(PAYSIM, EVENT_TYPE)
    assert has_columns_of(PAYSIM, PAYSIM)
