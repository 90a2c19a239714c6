"""The approval of a model version by a second person."""

from __future__ import annotations

AWAITS_APPROVAL = "A second person has to approve it"
"""Begins the reason why a version that failed no check does not serve yet."""


def is_second_person(approver: str, promoter: str | None) -> bool:
    """Whether an approver is somebody else than the person who promoted a version.

    Args:
        approver: name of the API key that approved it.
        promoter: user who promoted it; None where MLflow names nobody, which no name equals.
    """
    return promoter is None or approver.casefold() != promoter.casefold()
