"""Amounts are read as people type them, or copy them from a page."""

from __future__ import annotations

import pytest

from console.typed_amounts import typed_amount


@pytest.mark.parametrize(
    ("language", "typed", "amount"),
    [
        ("en", "152,400", 152_400.0),
        ("en", "1,836,150.33", 1_836_150.33),
        ("en", "461730.10", 461_730.1),
        ("en", " 152 400.00 ", 152_400.0),
        ("en", "12", 12.0),
        ("en", "12,5", 12.5),
        ("de", "152.400", 152_400.0),
        ("de", "1.836.150,33", 1_836_150.33),
        ("de", "461730,10", 461_730.1),
        ("de", "461730.10", 461_730.1),
    ],
)
def test_an_amount_is_read_with_the_marks_of_the_language(
    language: str, typed: str, amount: float
) -> None:
    assert typed_amount(typed, language) == amount


@pytest.mark.parametrize("typed", ["", "C152400", "152,40,0", "1e5", "-5", "1" * 30, "\u0661"])
def test_what_is_no_amount_is_none(typed: str) -> None:
    assert typed_amount(typed, "en") is None
