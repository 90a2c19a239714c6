"""Sentences count one thing in the singular, and none or several in the plural."""

from __future__ import annotations

import pytest

from scoring.counted import counted


@pytest.mark.parametrize(
    ("count", "sentence"),
    [(0, "0 rows"), (1, "1 row"), (2, "2 rows"), (1_001, "1,001 rows"), (10**6, "1,000,000 rows")],
)
def test_one_thing_is_in_the_singular(count: int, sentence: str) -> None:
    assert counted(count, "row") == sentence


def test_a_phrase_has_its_own_plural() -> None:
    phrases = ("of them is a fraud", "of them are frauds")
    assert counted(1, *phrases) == "1 of them is a fraud"
    assert counted(7, *phrases) == "7 of them are frauds"
