"""A body of a tenant's own event type: every fault has its path, and one key counts."""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine
from typing import Any
from uuid import UUID

import anyio
import pytest
from starlette.requests import Request

from scoring.errors import InvalidRequest, MalformedRequest, PayloadTooLarge
from scoring.event_type.event import Event
from scoring.event_type.validation import EventValidator
from serving.bodies import read_event, read_events, read_explain
from tests.support.event_types import an_event, an_event_type
from tests.support.factories import a_body

CARDS = an_event_type(
    ITEMS={"kind": "integer", "optional": True},
    NOTE={"kind": "text", "optional": True},
    OLD={"kind": "number", "ignored": True},
)
VALIDATOR = EventValidator(CARDS, 7)
Read = Callable[[Request, EventValidator | None], Coroutine[Any, Any, Any]]


def read(
    reader: Read, body: Any, validator: EventValidator | None = VALIDATOR, **headers: str
) -> Any:
    """Read a body, JSON or bytes, by a reader of `serving.bodies`."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": content, "more_body": False}

    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    request = Request({"type": "http", "headers": raw, "method": "POST"}, receive)
    return anyio.run(reader, request, validator)


def faults(reader: Read, body: Any, **headers: str) -> dict[str, str]:
    """What is wrong with a body, by path."""
    with pytest.raises(InvalidRequest) as refused:
        read(reader, body, **headers)
    return {error.field: error.message for error in refused.value.errors}


def test_a_valid_body_is_the_event() -> None:
    event = read(read_event, an_event(ITEMS=3, OLD="whatever", external_id="order-1"))
    assert isinstance(event, Event)
    assert (event.amount, event.payer, event.payee) == (57.16, "596", "T3156")
    assert (event.external_id, event.type_id) == ("order-1", 7)
    assert "OLD" not in event.document()
    assert "external_id" not in event.document()


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"TX_AMOUNT": "57"}, "TX_AMOUNT"),
        ({"TX_AMOUNT": True}, "TX_AMOUNT"),
        ({"TX_AMOUNT": None}, "TX_AMOUNT"),
        ({"TX_AMOUNT": 10**400}, "TX_AMOUNT"),
        ({"ITEMS": 2**53}, "ITEMS"),
        ({"ITEMS": 1.0}, "ITEMS"),
        ({"CHANNEL": "fax"}, "CHANNEL"),
        ({"TX_DATETIME": "2026-03-31 12:00"}, "TX_DATETIME"),
        ({"TX_DATETIME": "2999-01-01T00:00:00Z"}, "TX_DATETIME"),
        ({"CUSTOMER_ID": ""}, "CUSTOMER_ID"),
        ({"NOTE": "a\0b"}, "NOTE"),
        ({"TX_FRAUD": 1}, "TX_FRAUD"),
        ({"shop": 1}, "shop"),
        ({"external_id": "with space"}, "external_id"),
    ],
)
def test_every_fault_is_named_by_its_path_on_each_route(change: dict[str, Any], path: str) -> None:
    event = an_event(**change)
    alone = faults(read_event, event)
    assert list(alone) == [path]
    batch = {"transactions": [an_event(), event, an_event(), event]}
    assert faults(read_events, batch) == {
        f"transactions.{row}.{path}": alone[path] for row in (1, 3)
    }
    explained = faults(read_explain, {"transaction": event})
    assert explained == {f"transaction.{path}": alone[path]}


def test_all_faults_of_a_body_are_named_at_once() -> None:
    found = faults(read_event, {"TX_AMOUNT": -1, "x": 1})
    assert found.keys() == {"TX_AMOUNT", "TX_DATETIME", "CUSTOMER_ID", "TERMINAL_ID", "x"}


@pytest.mark.parametrize("body", [[], "text", 5, None, True])
def test_a_body_that_is_no_object_is_refused(body: Any) -> None:
    assert faults(read_event, body) == {"body": "must be a JSON object"}
    assert faults(read_events, body) == {"body": "must be a JSON object"}
    assert faults(read_explain, body) == {"body": "must be a JSON object"}
    if body is not None:
        inner = faults(read_explain, {"transaction": body})
        assert inner == {"transaction": "must be a JSON object"}
    rows = faults(read_events, {"transactions": [body]})
    assert rows == {"transactions.0": "must be a JSON object"}


@pytest.mark.parametrize("rows", [[], None, {}, "x", [an_event()] * 1001])
def test_a_batch_is_a_list_of_1_to_1000(rows: Any) -> None:
    message = "must be a list of 1 to 1000 events"
    assert faults(read_events, {"transactions": rows}) == {"transactions": message}


def test_a_batch_keeps_its_order_and_its_ids() -> None:
    rows = [an_event(TX_AMOUNT=float(i), external_id=f"order-{i}") for i in range(1000)]
    events = read(read_events, {"transactions": rows})
    assert [event.amount for event in events] == [float(i) for i in range(1000)]
    assert events[999].external_id == "order-999"


@pytest.mark.parametrize("reader", [read_events, read_explain])
def test_an_events_fields_beside_the_envelope_are_refused(reader: Read) -> None:
    found = faults(reader, an_event())
    assert found.keys() == an_event().keys()
    assert set(found.values()) <= {
        "is not a field here; put an event's fields into transactions",
        "is not a field here; put an event's fields into transaction",
    }


def test_an_explanation_is_of_an_event_or_of_a_stored_prediction() -> None:
    id_ = "01a20a27-378b-7e42-87ad-0680a4e62895"
    assert read(read_explain, {"prediction_id": id_}).prediction_id == UUID(id_)
    found = read(read_explain, {"transaction": an_event(), "prediction_id": None})
    assert found.event.amount == 57.16
    message = "give exactly one of transaction and prediction_id"
    assert faults(read_explain, {}) == {"body": message}
    both = {"transaction": an_event(), "prediction_id": id_}
    assert faults(read_explain, both) == {"body": message}
    for invalid in ("x", 5, [id_], True):
        found = faults(read_explain, {"prediction_id": invalid})
        assert found == {"prediction_id": "must be a UUID"}


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ({}, "give exactly one of transaction and prediction_id"),
        (
            a_body(),
            'the body must be {"transaction": {...}} or {"prediction_id": "..."}; put a payment '
            "under transaction",
        ),
    ],
)
def test_a_paysim_body_of_neither_form_has_one_sentence_of_our_own(
    body: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(InvalidRequest) as refused:
        read(read_explain, body, None)
    assert [(e.field, e.message) for e in refused.value.errors] == [("body", sentence)]


@pytest.mark.parametrize(
    ("body", "path"),
    [
        (b'{"TX_AMOUNT": 1, "TX_AMOUNT": 2}', "TX_AMOUNT"),
        (b'{"TX_AMOUNT" : 1, "TX_AMOUNT": 2}', "TX_AMOUNT"),
        (b'{"TX_AMOUNT"\n:1,"TX_AMOUNT":2}', "TX_AMOUNT"),
        (b'{"a": 1, "\\u0061": 2}', "a"),
        (b'{"NOTE": "\\":", "NOTE": "x"}', "NOTE"),
        (b'{"x": [{"b": 1, "b": 2}]}', "x.0.b"),
        (b'{"n": 1' + b"0" * 4000 + b', "n": 2}', "n"),
    ],
)
def test_a_name_that_is_given_twice_is_refused(body: bytes, path: str) -> None:
    assert faults(read_event, body) == {path: "is given twice; give it once"}


def test_a_repeated_name_in_a_batch_is_named_by_its_row() -> None:
    row = json.dumps(an_event())
    repeated = row[:-1] + ', "TX_AMOUNT": 1}'
    body = f'{{"transactions": [{row}, {repeated}]}}'.encode()
    assert list(faults(read_events, body)) == ["transactions.1.TX_AMOUNT"]


def test_texts_with_quotation_marks_and_colons_are_read() -> None:
    note = 'he said "yes": {"TX_AMOUNT": 1, "TX_AMOUNT": 2}'
    assert read(read_event, an_event(NOTE=note)).values["NOTE"] == note


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"{",
        b'{"TX_AMOUNT": NaN}',
        b'{"TX_AMOUNT": Infinity}',
        b'{"TX_AMOUNT": 1,}',
        b"{'a': 1}",
        b'{"a": "\\ud800"}',
        b"\xff\xfe{}",
        b'{"a": "\xff"}',
        b"[" * 10_000,
    ],
)
def test_a_body_that_is_no_json_is_malformed(body: bytes) -> None:
    for reader in (read_event, read_events, read_explain):
        with pytest.raises(MalformedRequest):
            read(reader, body)


def test_a_byte_order_mark_is_ignored() -> None:
    body = b"\xef\xbb\xbf" + json.dumps(an_event()).encode()
    assert read(read_event, body) == read(read_event, an_event())


def test_a_body_has_a_limited_size() -> None:
    large = {"transactions": [an_event(NOTE="x" * 4000)] * 20}
    assert len(read(read_events, large)) == 20
    with pytest.raises(PayloadTooLarge):
        read(read_event, large)
    with pytest.raises(PayloadTooLarge):
        read(read_explain, large)


def test_the_header_stands_in_for_external_id_and_must_not_contradict_it() -> None:
    assert read(read_event, an_event(), idempotency_key="k1").external_id == "k1"
    same = read(read_event, an_event(external_id="k1"), idempotency_key="k1")
    assert same.external_id == "k1"
    found = faults(read_event, an_event(external_id="k2"), idempotency_key="k1")
    assert found.keys() == {"Idempotency-Key", "external_id"}
    assert list(faults(read_event, an_event(), idempotency_key="with space")) == ["Idempotency-Key"]


def test_without_an_event_type_the_body_is_paysims() -> None:
    assert read(read_event, a_body(amount=5.0), None).amount == 5.0
    (row,) = read(read_events, {"transactions": [a_body(amount=6.0)]}, None)
    assert row.amount == 6.0
    assert read(read_explain, {"transaction": a_body(amount=7.0)}, None).event.amount == 7.0
    with pytest.raises(InvalidRequest):
        read(read_event, an_event(), None)
