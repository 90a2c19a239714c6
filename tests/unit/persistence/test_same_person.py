"""Accounts are told apart; a key is its person by name."""

from __future__ import annotations

import pytest

from persistence.people.same_person import Identity


def account(name: str, email: str) -> Identity:
    others = frozenset({email.partition("@")[0]})
    return Identity(frozenset({name, email}), others, is_account=True)


def key(*names: str) -> Identity:
    return Identity(frozenset(names), frozenset(), is_account=False)


CHRIS = account("chris admin", "chris@a.example")


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (CHRIS, CHRIS, True),
        (CHRIS, account("chris", "ch@b.example"), False),
        (CHRIS, account("chris other", "chris@b.example"), False),
        (CHRIS, key("chris admin"), True),
        (CHRIS, key("chris@a.example"), True),
        (CHRIS, key("chris"), True),
        (CHRIS, key("nightly", "chris admin", "chris@a.example"), True),
        (CHRIS, key("ruth"), False),
        (key("ruth"), key("ruth"), True),
        (key("ruth"), key("jane"), False),
        (key("ruth", "chris admin"), key("jane", "chris admin"), True),
    ],
)
def test_names_say_who_is_one_person(one: Identity, other: Identity, same: bool) -> None:
    assert one.is_same_person(other) is same
    assert other.is_same_person(one) is same
