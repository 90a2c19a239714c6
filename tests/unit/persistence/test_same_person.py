"""Accounts are told apart; a key is its person by name."""

from __future__ import annotations

import pytest

from persistence.people.same_person import Identity, identity_by_name


def account(name: str, email: str) -> Identity:
    others = frozenset({email.partition("@")[0]})
    return Identity(frozenset({name, email}), others, email)


def key(*names: str) -> Identity:
    return Identity(frozenset(names), frozenset())


CHRIS = account("chris admin", "chris@a.example")


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (CHRIS, CHRIS, True),
        (CHRIS, account("chris", "ch@b.example"), False),
        (CHRIS, account("chris other", "chris@b.example"), False),
        (CHRIS, account("chris admin", "other@a.example"), False),
        (CHRIS, key("chris admin"), True),
        (CHRIS, key("chris@a.example"), True),
        (CHRIS, key("chris"), True),
        (CHRIS, key("nightly", "chris admin", "chris@a.example"), True),
        (CHRIS, key("ruth"), False),
        (CHRIS, identity_by_name("Chris@A.example"), True),
        (CHRIS, identity_by_name("chris"), True),
        (CHRIS, identity_by_name("Chris Admin"), True),
        (CHRIS, identity_by_name("dora@a.example"), False),
        (key("chris"), identity_by_name("chris@a.example"), True),
        (key("nightly", "chris admin", "chris@a.example"), identity_by_name("chris admin"), True),
        (key("ruth"), key("ruth"), True),
        (key("ruth"), key("jane"), False),
        (key("ruth", "chris admin"), key("jane", "chris admin"), True),
    ],
)
def test_names_say_who_is_one_person(one: Identity, other: Identity, same: bool) -> None:
    assert one.is_same_person(other) is same
    assert other.is_same_person(one) is same
