"""The slug of a tenant: one rule for training, the command and the database."""

from __future__ import annotations

import pytest

from scoring.tenant_slug import is_slug


@pytest.mark.parametrize("slug", ["ab", "acme-bank", "a1", "a-", "a" * 40])
def test_2_to_40_lower_case_letters_digits_and_dashes_are_a_slug(slug: str) -> None:
    assert is_slug(slug)


@pytest.mark.parametrize(
    "text", ["", "a", "1a", "-a", "Acme", "acme bank", "acme_bank", "ä1", "a" * 41, "acme\n", " ab"]
)
def test_anything_else_is_not(text: str) -> None:
    assert not is_slug(text)
