"""Who counts as a second person."""

from __future__ import annotations

import pytest

from scoring.model.approval import is_second_person


@pytest.mark.parametrize(
    ("approver", "promoter", "expected"),
    [
        ("ruth", "anna", True),
        ("anna", "anna", False),
        ("Anna", "aNNa", False),
        ("STRASSE", "straße", False),
        ("anna", None, True),
    ],
)
def test_a_second_person_has_another_name(
    approver: str, promoter: str | None, expected: bool
) -> None:
    assert is_second_person(approver, promoter) is expected
