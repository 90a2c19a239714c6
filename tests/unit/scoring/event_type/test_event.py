"""Events as they are stored and read back."""

from __future__ import annotations

import json
from typing import Any

import pytest

from scoring.event_type.event import Event, stored_event
from scoring.event_type.validation import EventValidator
from tests.support.event_types import NOW_US, an_event, an_event_type

EVENT_TYPE = an_event_type(
    new={"kind": "boolean", "optional": True},
    count={"kind": "integer", "optional": True},
    dropped={"kind": "number", "ignored": True},
)


def validated(**values: Any) -> Event:
    return EventValidator(EVENT_TYPE, 7).validate(an_event(**values), NOW_US)


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"new": False, "count": 2**53 - 1, "dropped": 1, "external_id": "order-1"},
        {"TX_AMOUNT": 5, "CHANNEL": None, "TX_DATETIME": "1970-01-01T01:00:00.123456+01:00"},
    ],
)
def test_a_stored_event_is_read_back_as_it_was(values: dict[str, Any]) -> None:
    event = validated(**values)
    document = json.loads(json.dumps(event.document()))
    assert stored_event(EVENT_TYPE, 7, document, event.external_id) == event
    assert "dropped" not in document


def test_roles_name_amount_payer_and_payee() -> None:
    event = validated()
    assert (event.amount, event.payer, event.payee) == (57.16, "596", "T3156")


def test_an_event_type_without_roles_has_neither_amount_nor_payer() -> None:
    bare = an_event_type(
        TX_AMOUNT=None, CUSTOMER_ID=None, TERMINAL_ID=None, TX_DATETIME=None, CHANNEL=None,
        points={"kind": "number"},
    )  # fmt: skip
    event = EventValidator(bare).validate({"points": 3}, NOW_US)
    assert (event.amount, event.payer, event.payee, event.time_us) == (None, None, None, None)
