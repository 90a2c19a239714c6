"""The body of one event: what each kind accepts, and how each mistake is named."""

from __future__ import annotations

import json
from typing import Any

import pytest

from scoring.errors import InvalidRequest
from scoring.event_type.event import Event
from scoring.event_type.fields import EventType
from scoring.event_type.timestamps import Timestamp
from scoring.event_type.validation import EventValidator
from tests.support.event_types import NOW_US, an_event, an_event_type

MAX_INTEGER = 2**53 - 1


def validate(body: Any, event_type: EventType | None = None) -> Event:
    return EventValidator(event_type or an_event_type()).validate(body, NOW_US)


def errors_of(body: Any, event_type: EventType | None = None) -> dict[str, str]:
    with pytest.raises(InvalidRequest) as refused:
        validate(body, event_type)
    return {error.field: error.message for error in refused.value.errors}


def kept(value: Any, **field: Any) -> Any:
    return validate(an_event(f=value), an_event_type(f=field)).values["f"]


def refusal(value: Any, **field: Any) -> str:
    (entry,) = errors_of(an_event(f=value), an_event_type(f=field)).items()
    assert entry[0] == "f"
    return entry[1]


def test_an_event_has_its_values_in_the_form_in_which_they_are_kept() -> None:
    event = validate(an_event(external_id="order-1"))
    noon = Timestamp("2026-03-31T12:00:00Z", 1_774_958_400_000_000)
    assert event == Event(
        an_event_type(),
        {
            "TX_DATETIME": noon,
            "CUSTOMER_ID": "596",
            "TERMINAL_ID": "T3156",
            "TX_AMOUNT": 57.16,
            "CHANNEL": "web",
        },
        time_us=noon.us,
        external_id="order-1",
    )


def test_an_optional_field_may_be_missing_or_null() -> None:
    absent = an_event()
    del absent["CHANNEL"]
    assert validate(absent).values["CHANNEL"] is None
    assert validate(an_event(CHANNEL=None)) == validate(absent)


@pytest.mark.parametrize("name", ["TX_DATETIME", "CUSTOMER_ID", "TERMINAL_ID", "TX_AMOUNT"])
def test_a_required_field_that_is_missing_or_null_is_named(name: str) -> None:
    absent = an_event()
    del absent[name]
    assert errors_of(absent) == errors_of(an_event(**{name: None})) == {name: "is required"}


def test_unknown_fields_are_named() -> None:
    found = errors_of(an_event(TX_AMOUT=1, surprise=None))
    assert found == dict.fromkeys(("TX_AMOUT", "surprise"), "is not a field of the event type")


def test_the_label_is_refused_with_the_reason() -> None:
    found = errors_of(an_event(TX_FRAUD=1))
    assert found == {"TX_FRAUD": "is the label, which is not sent with an event; leave it out"}


@pytest.mark.parametrize("value", [None, 1, "x", [1], {"a": {}}, "\x00", 10**400])
def test_an_ignored_field_holds_anything_and_is_dropped(value: object) -> None:
    event_type = an_event_type(f={"kind": "number", "ignored": True})
    assert validate(an_event(f=value), event_type) == validate(an_event(), event_type)


@pytest.mark.parametrize("value", ["", "x" * 129, "a b", "a\n", 7, True, ["a"]])
def test_the_callers_own_id_keeps_its_rule(value: object) -> None:
    assert errors_of(an_event(external_id=value)) == {
        "external_id": "must be 1 to 128 printable ASCII characters without spaces"
    }


@pytest.mark.parametrize("body", [None, [], [an_event()], "event", 1])
def test_a_body_that_is_no_object_is_refused(body: object) -> None:
    assert errors_of(body) == {"body": "must be a JSON object"}


def test_one_error_names_every_invalid_field() -> None:
    body = an_event(TX_AMOUNT=-1, CHANNEL="fax", CUSTOMER_ID=1.5, other=1)
    assert errors_of(body).keys() == {"TX_AMOUNT", "CHANNEL", "CUSTOMER_ID", "other"}


@pytest.mark.parametrize("value", [0, 1, -1.5, 1e300, 5e-324, 2**60, -0.0])
def test_a_number_is_kept_as_a_float(value: float) -> None:
    found = kept(value, kind="number")
    assert type(found) is float
    assert found == value


NOT_NUMBERS = ["1", "", True, False, [1], {}, float("nan"), float("inf"), -float("inf"), 10**400]


@pytest.mark.parametrize("value", NOT_NUMBERS)
def test_anything_else_is_not_a_number(value: object) -> None:
    assert refusal(value, kind="number") == "must be a finite number"
    assert "from 0 to 5" in refusal(value, kind="number", min=0, max=5)


def test_bounds_are_inclusive() -> None:
    for bound in (0, 5):
        assert kept(bound, kind="number", min=0, max=5) == bound
        assert kept(bound, kind="integer", min=0, max=5) == bound
    assert refusal(-1e-9, kind="number", min=0) == "must be a finite number of at least 0"
    assert refusal(0.50001, kind="number", max=0.5) == "must be a finite number of at most 0.5"
    assert refusal(6, kind="integer", min=0, max=5) == "must be a whole number from 0 to 5"


@pytest.mark.parametrize("value", [0, -7, MAX_INTEGER, -MAX_INTEGER])
def test_an_integer_is_kept_as_such(value: int) -> None:
    assert kept(value, kind="integer") == value


@pytest.mark.parametrize(
    "value", [2.0, 2.5, "2", True, MAX_INTEGER + 1, -MAX_INTEGER - 1, [2], 1e3]
)
def test_anything_else_is_not_an_integer(value: object) -> None:
    assert refusal(value, kind="integer") == f"must be a whole number within ±{MAX_INTEGER}"


@pytest.mark.parametrize("value", [0, 1, "true", "yes", 1.0, []])
def test_only_true_and_false_are_boolean(value: object) -> None:
    assert refusal(value, kind="boolean") == "must be true or false"
    assert kept(True, kind="boolean") is True
    assert kept(False, kind="boolean") is False


@pytest.mark.parametrize("value", ["POS", "pos ", "", 0, True, ["pos"], {"pos": 1}])
def test_a_closed_category_takes_its_values_only(value: object) -> None:
    assert errors_of(an_event(CHANNEL=value)) == {"CHANNEL": "must be one of pos, web, atm"}


def test_many_values_are_not_listed_in_an_error() -> None:
    values = [f"v{i}" for i in range(1000)]
    message = refusal("w", kind="category", values=values)
    assert message == "must be one of the 1,000 values of the event type"


@pytest.mark.parametrize("value", ["a", " a b ", "x" * 256, "é", "金", "👍", "\U0001fae9"])
def test_an_open_category_takes_visible_text(value: str) -> None:
    assert kept(value, kind="category") == value


@pytest.mark.parametrize(
    "value", ["", "x" * 257, "a\n", "\x00", "\x7f", "\u200b", "\ud800", "\u00a0", 1, True]
)
def test_an_open_category_refuses_other_text(value: object) -> None:
    refusal(value, kind="category")


@pytest.mark.parametrize(
    ("value", "canonical"),
    [("596", "596"), (596, "596"), (-1, "-1"), ("0596", "0596"), ("a b", "a b"), ("é", "é")],
)
def test_an_entity_is_kept_as_text(value: object, canonical: str) -> None:
    assert kept(value, kind="entity", entity="card") == canonical


@pytest.mark.parametrize(
    "value", ["", " a", "a ", "x" * 129, "a\tb", "\ud800", 596.0, True, 2**53, [1], {}]
)
def test_anything_else_is_not_an_entity(value: object) -> None:
    assert refusal(value, kind="entity", entity="card").startswith("must be 1 to 128 visible")


@pytest.mark.parametrize("value", ["", "two\nlines\t", "x" * 4096, "\u200b"])
def test_a_text_may_have_lines(value: str) -> None:
    assert kept(value, kind="text") == value


@pytest.mark.parametrize("value", ["x" * 4097, "x" * 65_536, "a\x00", "\udcff", 1, True])
def test_a_text_is_short_and_can_be_stored(value: object) -> None:
    refusal(value, kind="text")


@pytest.mark.parametrize(
    ("text", "us"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01T00:00:00.000001Z", 1),
        ("1970-01-01T02:00:00.5+02:00", 500_000),
        ("1969-12-31T23:00:00-01:00", 0),
        ("1970-01-01t00:00:01z", 1_000_000),
        ("1970-01-01T00:00:00.123456789Z", 123_456),
        ("2000-02-29T00:00:00-00:00", 951_782_400_000_000),
    ],
)
def test_a_timestamp_is_kept_as_text_and_microseconds(text: str, us: int) -> None:
    assert kept(text, kind="timestamp") == Timestamp(text, us)


@pytest.mark.parametrize(
    "value",
    [
        *("2026-03-31T12:00:00", "2026-03-31 12:00:00Z", "2026-03-31", "20260331T120000Z"),
        *("2026-02-29T12:00:00Z", "2026-13-01T12:00:00Z", "2026-03-31T24:00:00Z"),
        *("2026-03-31T12:00:60Z", "2026-03-31T12:00Z", "2026-03-31T12:00:00+0200"),
        *("2026-03-31T12:00:00+02", "2026-03-31T12:00:00.Z", "2026-03-31T12:00:00Z\n"),
        *("2026-03-31T12:00:00+24:00", "0000-01-01T00:00:00Z", "٢026-03-31T12:00:00Z"),
        *("1774958400", 1_774_958_400, 1774958400.5, "", "now", True, []),
    ],
)
def test_anything_else_is_not_a_timestamp(value: object) -> None:
    assert refusal(value, kind="timestamp").startswith("must be a time of RFC 3339 with its zone")


def test_a_timestamp_is_not_before_1970_and_not_after_tomorrow() -> None:
    assert refusal("1969-12-31T23:59:59.999999Z", kind="timestamp") == "must not be before 1970"
    assert kept("2026-04-01T23:33:20Z", kind="timestamp")[1] == NOW_US + 86_400_000_000
    late = refusal("2026-04-01T23:33:20.000001Z", kind="timestamp")
    assert late == "must be at most 24 hours in the future"


def test_an_event_without_a_field_of_that_role_has_no_time() -> None:
    event_type = an_event_type(TX_DATETIME={"kind": "timestamp"})
    assert validate(an_event(), event_type).time_us is None


def test_values_of_json_are_accepted_as_they_are_parsed() -> None:
    assert validate(json.loads(json.dumps(an_event()))) == validate(an_event())
