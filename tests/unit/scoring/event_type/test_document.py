"""The document of an event type: what it accepts, and how each mistake is named."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scoring.errors import InvalidEventType
from scoring.event_type.checks import check_event_type
from scoring.event_type.document import KINDS, ROLES, from_document, to_document
from scoring.event_type.fields import EventType, Field
from tests.support.event_types import an_event_type

GOOD: dict[str, Any] = {"name": "card_payment", "fields": {"a": {"kind": "number"}}}
NAN = float("nan")


def errors_of(document: object) -> dict[str, str]:
    with pytest.raises(InvalidEventType) as refused:
        from_document(document)
    assert refused.value.status == 422
    return {error.field: error.message for error in refused.value.errors}


def errors_of_field(**field: Any) -> dict[str, str]:
    return errors_of(GOOD | {"fields": {"f": field}})


def test_a_document_becomes_an_event_type() -> None:
    event_type = an_event_type()
    assert (event_type.name, event_type.label) == ("card_payment", "TX_FRAUD")
    assert event_type.fields[0] == Field("TX_DATETIME", "timestamp", role="time")
    amount = Field("TX_AMOUNT", "number", role="amount", minimum=0.0, maximum=1e6)
    assert event_type.fields[3] == amount
    channel = Field("CHANNEL", "category", values=("pos", "web", "atm"), optional=True)
    assert event_type.fields[4] == channel


def test_a_document_that_was_written_is_read_back() -> None:
    event_type = an_event_type(
        ratio={"kind": "number", "min": -0.5, "max": 1e20},
        note={"kind": "text", "optional": True},
        internal={"kind": "boolean", "ignored": True},
    )
    document = to_document(event_type)
    assert from_document(document) == event_type
    assert document["fields"]["TX_AMOUNT"] == {
        "kind": "number", "role": "amount", "min": 0, "max": 1000000
    }  # fmt: skip


@pytest.mark.parametrize("document", [None, [], "name", 3])
def test_a_document_that_is_no_mapping_is_refused(document: object) -> None:
    assert errors_of(document) == {"body": "must be a mapping with name and fields"}


@pytest.mark.parametrize(
    "name", ["", "A", "Card", "1st", "a", "a" * 41, "card payment", "card\n", "é" * 3, 7, None]
)
def test_a_bad_name_is_refused(name: object) -> None:
    assert errors_of(GOOD | {"name": name}).keys() == {"name"}


@pytest.mark.parametrize("name", ["pi", "card-payment", "card_payment", "a" * 40, "x2"])
def test_a_slug_and_a_name_with_underscores_are_accepted(name: str) -> None:
    assert from_document(GOOD | {"name": name}).name == name


@pytest.mark.parametrize(
    "name",
    ["", " a", "a ", "a\nb", "a\x00", "a\x7f", "a\u200b", "a\u2028b", "x" * 129, "external_id"],
)
def test_a_bad_name_of_a_field_is_refused(name: str) -> None:
    assert f"fields.{name}" in errors_of(GOOD | {"fields": {name: {"kind": "number"}}})


@pytest.mark.parametrize(
    "name", ["TARGET_LABEL_BAD=1", "a b", "_x", "ключ", "金額", "x" * 128, "."]
)
def test_printable_names_of_fields_are_accepted(name: str) -> None:
    assert from_document(GOOD | {"fields": {name: {"kind": "number"}}}).fields[0].name == name


def test_a_name_that_yaml_reads_as_another_kind_is_refused() -> None:
    fields = {True: {"kind": "number"}, 3: {"kind": "number"}, "a": {"kind": "number"}}
    found = errors_of(GOOD | {"fields": fields})
    assert found == {
        "fields.True": "has a name that must be text; quote it",
        "fields.3": "has a name that must be text; quote it",
    }


def test_unknown_keys_are_named_with_the_nearest_known_one() -> None:
    assert errors_of(GOOD | {"lable": "x"}) == {"lable": "is not known; did you mean label?"}
    found = errors_of_field(kind="number", minimum=0)
    assert found["fields.f.minimum"].startswith("is not known; ")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *[("kind", value) for value in ("Number", "float", 3, True, ["number"], {})],
        *[("role", value) for value in ("label", "amout", 1)],
        *[("min", value) for value in ("0", True, [0], NAN, float("inf"), 10**400)],
        *[("max", value) for value in ("1e3", False, -float("inf"))],
        *[("optional", value) for value in (1, "true", 0, "no")],
        *[("ignored", value) for value in (1, "true", {})],
        *[("entity", value) for value in ("customer", 7)],
        *[("values", value) for value in (["a"], "a", {"a": 1})],
    ],
)
def test_a_wrong_value_of_a_key_is_named(key: str, value: object) -> None:
    assert errors_of_field(**({"kind": "number"} | {key: value})).keys() == {f"fields.f.{key}"}


@pytest.mark.parametrize("field", [None, "number", ["number"], 3])
def test_a_field_that_is_no_mapping_is_named(field: object) -> None:
    assert errors_of(GOOD | {"fields": {"f": field}}).keys() == {"fields.f"}


def test_missing_parts_are_required() -> None:
    assert errors_of({}) == {"name": "is required", "fields": "is required"}
    assert errors_of_field() == {"fields.f.kind": "is required"}
    assert "fields" in errors_of(GOOD | {"fields": {}})
    assert "fields.f.entity" in errors_of_field(kind="entity")


def test_up_to_500_fields_are_accepted() -> None:
    fields = {f"f{i}": {"kind": "number"} for i in range(501)}
    assert errors_of(GOOD | {"fields": fields})["fields"] == "must be 1 to 500 fields, not 501"
    fields.pop("f500")
    assert len(from_document(GOOD | {"fields": fields}).fields) == 500


@pytest.mark.parametrize("kind", KINDS)
def test_bounds_values_and_entities_belong_to_some_kinds_only(kind: str) -> None:
    given = {"kind": kind, "min": 0, "values": ["a"], "entity": "card"}
    own = {"number": {"min"}, "integer": {"min"}, "category": {"values"}, "entity": {"entity"}}
    expected = {f"fields.f.{key}" for key in {"min", "values", "entity"} - own.get(kind, set())}
    assert errors_of_field(**given).keys() == expected


def test_bounds_must_leave_a_value() -> None:
    assert errors_of_field(kind="number", min=2, max=1) == {
        "fields.f.min": "must be at most max, 1, not 2"
    }
    assert from_document(GOOD | {"fields": {"f": {"kind": "number", "min": 1, "max": 1}}})


@pytest.mark.parametrize("bound", [0.5, 2**53, -(2.0**60)])
def test_bounds_of_an_integer_are_integers_that_floats_hold(bound: float) -> None:
    assert errors_of_field(kind="integer", min=bound).keys() == {"fields.f.min"}


@pytest.mark.parametrize(
    ("values", "path"),
    [
        ([], "fields.f.values"),
        (["a", "b", "a"], "fields.f.values"),
        ([str(i) for i in range(10_001)], "fields.f.values"),
        (["a", "x" * 257], "fields.f.values.1"),
        ([""], "fields.f.values.0"),
        (["a\n"], "fields.f.values.0"),
        (["a", True], "fields.f.values"),
        ([1, 2], "fields.f.values"),
    ],
)
def test_the_values_of_a_closed_category_are_checked(values: list[Any], path: str) -> None:
    assert errors_of_field(kind="category", values=values).keys() == {path}


def test_ten_thousand_values_of_256_characters_are_accepted() -> None:
    values = [f"{i:0256d}" for i in range(10_000)]
    event_type = from_document(GOOD | {"fields": {"f": {"kind": "category", "values": values}}})
    assert event_type.fields[0].values == tuple(values)


@pytest.mark.parametrize("role", ROLES)
def test_a_role_needs_its_kind_and_one_field_only(role: str) -> None:
    kinds = {"time": "timestamp", "amount": "number", "payer": "entity", "payee": "entity"}
    assert "fields.f.role" in errors_of_field(kind="text", role=role)
    entity = {"entity": "account"} if kinds[role] == "entity" else {}
    field = {"kind": kinds[role], "role": role, **entity}
    found = errors_of(GOOD | {"fields": {"f": field, "g": field}})
    assert found == {"fields.g.role": f"must not be {role}, which f is already"}
    assert from_document(GOOD | {"fields": {"f": field}}).fields[0].role == role


def test_the_time_of_an_event_cannot_be_optional() -> None:
    found = errors_of_field(kind="timestamp", role="time", optional=True)
    assert found.keys() == {"fields.f.optional"}


def test_the_label_is_not_a_field() -> None:
    found = errors_of(GOOD | {"label": "a"})
    assert found == {"fields.a": "is the label, which is not sent; leave it out"}
    assert errors_of(GOOD | {"label": "x" * 129}).keys() == {"label"}
    assert "top" not in errors_of_field(kind="boolean", role="label")["fields.f.role"]


@pytest.mark.parametrize("entity", ["Customer", "a", "1a", "card_number", "a" * 41, "a b"])
def test_the_name_of_an_entity_is_a_slug(entity: str) -> None:
    assert errors_of_field(kind="entity", entity=entity).keys() == {"fields.f.entity"}


def test_an_ignored_field_has_a_kind_only() -> None:
    found = errors_of_field(kind="number", ignored=True, role="amount", min=0, max=1, optional=True)
    assert found.keys() == {f"fields.f.{key}" for key in ("role", "min", "max", "optional")}


def test_one_error_names_every_mistake() -> None:
    fields = {
        "a": {"kind": "numbr"},
        "b": {"kind": "number", "min": 1, "max": 0},
        "c": {"kind": "entity", "entity": "X"},
        "external_id": {"kind": "text"},
    }
    found = errors_of({"name": "X", "other": 1, "fields": fields})
    assert found.keys() == {
        "name", "other", "fields.a.kind", "fields.b.min", "fields.c.entity", "fields.external_id"
    }  # fmt: skip


def test_the_detail_shows_the_first_mistakes() -> None:
    with pytest.raises(
        InvalidEventType, match=r"is not valid: fields\.f0\.kind must be .*; and 2 more\.$"
    ):
        from_document({"name": "X", "fields": {f"f{i}": {"kind": i} for i in range(6)}})


def test_a_field_that_is_there_twice_is_named() -> None:
    twice = EventType("ab", None, (Field("f", "number"), Field("f", "text")))
    with pytest.raises(InvalidEventType, match=r"fields\.f is given 2 times; give it once"):
        check_event_type(twice)


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5)
    | st.sampled_from([*KINDS, *ROLES, "customer"]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(["name", "label", "fields", "kind", "role", "min", "max", "values"])
        | st.text(max_size=3) | st.integers(),
        inner,
        max_size=4,
    ),
    max_leaves=20,
)  # fmt: skip


@given(JSON)
@settings(deadline=None)
def test_any_document_is_read_or_refused(document: object) -> None:
    try:
        event_type = from_document(document)
    except InvalidEventType as refused:
        assert refused.errors  # noqa: PT017
    else:
        assert from_document(to_document(event_type)) == event_type


@given(st.dictionaries(st.text(min_size=1, max_size=4), JSON, max_size=3))
@settings(deadline=None)
def test_any_fields_are_read_or_refused(fields: dict[str, object]) -> None:
    try:
        event_type = from_document({"name": "ab", "fields": fields})
    except InvalidEventType as refused:
        assert all(error.field.startswith("fields") for error in refused.errors)  # noqa: PT017
    else:
        assert from_document(to_document(event_type)) == event_type
