"""A leaf's key is looked up only where a row can have it."""

from __future__ import annotations

import pytest

from persistence.sealing.sources import BY_FORM

ID = "01a21e29-a0e4-7f3c-88c8-9bc040b60c73"


@pytest.mark.parametrize(
    ("kind", "key"),
    [
        ("decision", ID),
        ("label", f"{ID}/9223372036854775807"),
        ("policy", "-9223372036854775808"),
        ("policy", "0"),
        ("rule", "1/2147483647"),
        ("approval", "fraud/1/1700000000000/a person/of two names"),
    ],
)
def test_a_key_as_postgres_prints_it_is_one(kind: str, key: str) -> None:
    assert BY_FORM[kind, 1].is_key(key)


@pytest.mark.parametrize(
    ("kind", "key"),
    [
        ("decision", "x"),
        ("decision", ""),
        ("decision", ID.upper()),
        ("decision", f"{ID}\n"),
        ("label", "x/1"),
        ("label", ID),
        ("label", f"{ID}/9223372036854775808"),
        ("policy", "007"),
        ("policy", "-0"),
        ("policy", "\u0663"),
        ("rule", "1"),
        ("rule", "1/2147483648"),
        ("approval", "fraud/1"),
    ],
)
def test_any_other_text_is_none(kind: str, key: str) -> None:
    assert not BY_FORM[kind, 1].is_key(key)
