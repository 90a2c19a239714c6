"""Lists and entries refuse what they cannot be, and lists cover the fields of their entity."""

from __future__ import annotations

from typing import Any

import pytest

from scoring.lists.entity_list import EntityList, ListEntry


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"name": "No Slug"}, "the name of a list must be"),
        ({"fields": ()}, "at least one"),
        ({"action": None, "fields": ("A",)}, "a list with an action"),
    ],
)
def test_a_list_that_is_not_valid_is_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        EntityList(
            **{"id": 1, "name": "blocked", "entity": "customer", "action": "decline", **wrong}
        )


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"value": ""}, "an entry has 1 to 128 characters"),
        ({"value": "x" * 129}, "an entry has 1 to 128 characters"),
        ({"reason": ""}, "the reason of an entry has 1 to 500 characters"),
    ],
)
def test_an_entry_that_is_not_valid_is_refused(wrong: dict[str, Any], message: str) -> None:
    entry = {"id": 1, "list_id": 1, "value": "C1", "reason": "stolen", "author": "ana"}
    with pytest.raises(ValueError, match=message):
        ListEntry(**{**entry, **wrong})


def test_a_list_covers_every_field_of_its_entity_or_those_that_it_names() -> None:
    everywhere = EntityList(1, "blocked", "account", "decline")
    payees = EntityList(2, "blocked-payees", "account", "decline", ("nameDest",))
    own = EntityList(3, "watched", "account")
    fields = [("nameOrig", "account"), ("nameDest", "account"), ("CARD", "card"), ("type", None)]
    assert [everywhere.covers(*field) for field in fields] == [True, True, False, False]
    assert [payees.covers(*field) for field in fields] == [False, True, False, False]
    assert not any(own.covers(*field) for field in fields)
