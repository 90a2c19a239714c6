"""The JSON Schema accepts and refuses as the validator does."""

from __future__ import annotations

from typing import Any

import jsonschema_rs
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from scoring.errors import InvalidRequest
from scoring.event_type.document import from_document
from scoring.event_type.json_schema import json_schema
from scoring.event_type.validation import EventValidator
from scoring.transaction import PAYSIM
from tests.support.event_types import NOW_US

KINDS: dict[str, dict[str, Any]] = {
    "number": {"kind": "number"},
    "bounded": {"kind": "number", "min": -1.5, "max": 10},
    "integer": {"kind": "integer"},
    "step": {"kind": "integer", "min": 0, "max": 100, "optional": True},
    "boolean": {"kind": "boolean"},
    "closed": {"kind": "category", "values": ["a", "é", " x "], "optional": True},
    "open": {"kind": "category"},
    "time": {"kind": "timestamp"},
    "entity": {"kind": "entity", "entity": "card"},
    "text": {"kind": "text", "optional": True},
    "ignored": {"kind": "text", "ignored": True},
}
EVENT_TYPE = from_document({"name": "every-kind", "fields": KINDS})
VALIDATOR = EventValidator(EVENT_TYPE)
SCHEMA = jsonschema_rs.validator_for(json_schema(EVENT_TYPE), validate_formats=True)
GOOD: dict[str, Any] = {
    "number": 1.5, "bounded": 0, "integer": 3, "step": 7, "boolean": True, "closed": "a",
    "open": "b", "time": "2026-03-31T12:00:00Z", "entity": 5, "text": "t",
}  # fmt: skip

CHARACTERS = st.characters(exclude_categories=["Cs"]) | st.sampled_from(
    "a \n\t\0\x7f\x85\xa0\xad\u200b\u2028\u3000\ufeff\U000e0041é👍"
)
# From a regular expression, Hypothesis draws each digit alone.
OFFSETS = st.sampled_from(["", "Z", "z"]) | st.builds(
    "{}{:02d}{}{:02d}".format,
    st.sampled_from("+-"),
    st.integers(0, 29),
    st.sampled_from([":", ""]),
    st.integers(0, 69),
)
TIMES = st.builds(
    "{}-{:02d}-{:02d}{}{:02d}:{:02d}:{:02d}{}{}".format,
    st.integers(1971, 2019),
    st.integers(0, 19),
    st.integers(0, 39),
    st.sampled_from("Tt "),
    st.integers(0, 29),
    st.integers(0, 69),
    st.integers(0, 69),
    st.sampled_from(["", ".", *(f".{'0123456789'[-n:]}" for n in range(1, 11))]),
    OFFSETS,
)
VALUES = (
    st.none() | st.booleans() | st.integers(-(2**54), 2**54) | st.integers(-3, 110)
    | st.floats(-20, 20).filter(lambda x: not x.is_integer())
    | st.text(CHARACTERS, max_size=4) | st.sampled_from(["a", "é", " x ", "x"]) | TIMES
    | st.integers(126, 130).map("x".__mul__) | st.integers(255, 258).map("y".__mul__)
    | st.integers(4095, 4097).map("z".__mul__)
    | st.lists(st.integers(), max_size=1) | st.dictionaries(st.text(max_size=1), st.none())
)  # fmt: skip


def is_accepted(body: dict[str, Any]) -> bool:
    try:
        VALIDATOR.validate(body, NOW_US)
    except InvalidRequest:
        return False
    return True


@given(VALUES)
@example("2026-02-29T12:00:00Z")
@example("2026-03-31T12:00:00")
@example("a ")
@example("\ud7ff")
@example(10**300)
@settings(max_examples=400, deadline=None)
def test_a_value_is_valid_to_both_or_to_neither(value: object) -> None:
    for name in KINDS:
        body = GOOD | {name: value}
        assert SCHEMA.is_valid(body) is is_accepted(body), name


@given(
    st.sets(st.sampled_from(sorted(GOOD))),
    st.dictionaries(st.sampled_from(["other", "external_id", "ignored"]), VALUES, max_size=2),
)
@settings(deadline=None)
def test_missing_and_unknown_fields_are_refused_by_both(
    left_out: set[str], added: dict[str, object]
) -> None:
    body = {name: value for name, value in GOOD.items() if name not in left_out} | added
    assert SCHEMA.is_valid(body) is is_accepted(body)


def test_the_good_event_is_accepted_by_both() -> None:
    assert SCHEMA.is_valid(GOOD)
    assert is_accepted(GOOD)


@pytest.mark.parametrize(
    ("name", "value"),
    [("integer", 2.0), ("time", "2026-05-01T00:00:00Z"), ("time", "1969-01-01T00:00:00Z")],
)
def test_what_a_schema_cannot_say_is_refused_by_the_validator_alone(
    name: str, value: object
) -> None:
    body = GOOD | {name: value}
    assert SCHEMA.is_valid(body)
    assert not is_accepted(body)


def test_the_schema_is_itself_valid() -> None:
    for event_type in (EVENT_TYPE, PAYSIM):
        schema = json_schema(event_type)
        jsonschema_rs.Draft202012Validator(
            {"$ref": "https://json-schema.org/draft/2020-12/schema"}
        ).validate(schema)
