"""What may change between two versions of an event type."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from scoring.event_type.compatibility import Change, changes
from tests.support.event_types import an_event_type


def change_of(before: dict[str, Any] | None, after: dict[str, Any] | None) -> Change:
    (change,) = changes(an_event_type(f=before), an_event_type(f=after))
    assert change.field == "f"
    assert "f" in change.sentence
    assert change.sentence.endswith(".")
    return change


def number(**rest: Any) -> dict[str, Any]:
    return {"kind": "number", **rest}


def category(*values: str) -> dict[str, Any]:
    return {"kind": "category", "values": list(values)}


CARD = {"kind": "entity", "entity": "card"}
OPEN = {"kind": "category"}


@pytest.mark.parametrize(
    ("before", "after", "what"),
    [
        (None, number(optional=True), "added"),
        (None, number(ignored=True), "added"),
        (number(ignored=True), number(optional=True), "ignored"),
        (number(), number(optional=True), "optional"),
        (number(min=0), number(min=-1), "min"),
        (number(min=0), number(), "min"),
        (number(max=1), number(max=2), "max"),
        (number(max=1), number(), "max"),
        (category("a", "b"), category("a", "b", "c"), "values"),
        (category("a"), OPEN, "values"),
    ],
)
def test_a_compatible_change(before: Any, after: Any, what: str) -> None:
    change = change_of(before, after)
    assert (change.what, change.is_compatible) == (what, True)


@pytest.mark.parametrize(
    ("before", "after", "what", "part"),
    [
        (None, number(), "added", "Make it optional"),
        (number(), None, "removed", "lack it. Make it optional, or keep it"),
        (number(optional=True), None, "removed", "lack it. Keep it"),
        (number(), number(ignored=True), "ignored", "Make it optional instead"),
        (number(ignored=True), number(), "ignored", "Make it optional"),
        (number(), {"kind": "integer"}, "kind", "from number to integer"),
        (number(min=0), number(min=1), "min", "narrower min, 1 after 0"),
        (number(), number(min=0), "min", "narrower min, 0 after none"),
        (number(max=2), number(max=1), "max", "Keep the bound"),
        (category("a", "b"), category("a"), "values", "lacks b"),
        (category("a", "b"), category("b", "a"), "values", "another order"),
        (category("a", "b"), category("a", "c", "b"), "values", "another order"),
        (category("a", "b"), category("b", "c"), "values", "lacks a"),
        (OPEN, category("a"), "values", "becomes a closed category"),
        (number(optional=True), number(), "optional", "Keep it optional"),
        (CARD, CARD | {"entity": "account"}, "entity", "from card to account"),
        ({"kind": "timestamp"}, {"kind": "text"}, "kind", "from timestamp to text"),
    ],
)
def test_an_incompatible_change_says_why_and_what_to_do(
    before: Any, after: Any, what: str, part: str
) -> None:
    change = change_of(before, after)
    assert (change.what, change.is_compatible) == (what, False)
    assert part in change.sentence


def test_a_changed_role_is_incompatible() -> None:
    old = an_event_type()
    new = an_event_type(TX_AMOUNT={"kind": "number", "min": 0, "max": 1_000_000})
    (change,) = changes(old, new)
    assert (change.field, change.what, change.is_compatible) == ("TX_AMOUNT", "role", False)
    assert "from amount to none" in change.sentence


def test_a_changed_name_or_label_is_incompatible() -> None:
    old = an_event_type()
    (name,) = changes(old, replace(old, name="orders"))
    (label,) = changes(old, replace(old, label=None))
    assert [(c.field, c.what, c.is_compatible) for c in (name, label)] == [
        (None, "name", False), (None, "label", False)
    ]  # fmt: skip


def test_the_order_of_fields_and_the_kind_of_an_ignored_one_do_not_count() -> None:
    old = an_event_type(f=number(ignored=True))
    turned = replace(old, fields=old.fields[::-1])
    assert changes(old, old) == changes(old, turned) == ()
    assert changes(old, an_event_type(f={"kind": "text", "ignored": True})) == ()


def test_every_change_of_a_field_is_listed() -> None:
    before, after = number(min=0, max=9), number(min=1, max=10, optional=True)
    found = changes(an_event_type(f=before), an_event_type(f=after))
    assert [(change.what, change.is_compatible) for change in found] == [
        ("min", False), ("max", True), ("optional", True)
    ]  # fmt: skip
