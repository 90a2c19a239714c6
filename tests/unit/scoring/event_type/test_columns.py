"""Validated events as columns."""

from __future__ import annotations

from typing import Any

import numpy as np

from scoring.columns import TextColumn
from scoring.event_type.columns import to_columns
from scoring.event_type.validation import EventValidator
from tests.support.event_types import NOW_US, an_event, an_event_type

EVENT_TYPE = an_event_type(
    new={"kind": "boolean", "optional": True},
    count={"kind": "integer", "optional": True},
    at={"kind": "timestamp", "optional": True},
    note={"kind": "text", "optional": True},
    dropped={"kind": "number", "ignored": True},
)


def columns_of(*bodies: dict[str, Any]) -> Any:
    validator = EventValidator(EVENT_TYPE)
    return to_columns(EVENT_TYPE, [validator.validate(body, NOW_US) for body in bodies])


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


def test_columns_of_no_events_are_empty_and_keep_their_types() -> None:
    columns = columns_of()
    assert columns["TX_AMOUNT"].dtype == np.float64
    assert columns["CHANNEL"].codes.dtype == np.int64
    assert columns["CHANNEL"].values == ()
