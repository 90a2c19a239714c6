"""Thresholds that a person tries out: the texts of the form, and what they change of the policy."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from api.models.policy_change import changed_policy
from scoring.policy import Policy

_DIGITS = 4
"""Significant digits of a percentage in a field."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """Thresholds that a form names.

    Attributes:
        review_from: text of the field of the review threshold, percent.
        decline_from: text of the field of the decline threshold, percent; empty: none.
        policy: policy in force with these thresholds; None where a text is not valid.
        problems: key of the sentence on what is wrong, by the name of the field.
    """

    review_from: str
    decline_from: str
    policy: Policy | None
    problems: dict[str, str]


def propose(in_force: Policy, review_from: str | None, decline_from: str | None) -> Proposal:
    """Return what the texts of a form change of the policy in force.

    Args:
        in_force: policy in force.
        review_from: percentage; None: that of the policy in force.
        decline_from: percentage, or empty: nothing is declined; None: that of the policy in force.
    """
    known_review, known_decline = percent_text(in_force.threshold), ""
    if in_force.decline_from is not None:
        known_decline = percent_text(in_force.decline_from)
    review_text = known_review if review_from is None else review_from.strip()
    decline_text = known_decline if decline_from is None else decline_from.strip()
    # A field rounds what is in force: left alone, it changes nothing.
    review = in_force.threshold if review_text == known_review else _score(review_text)
    decline = in_force.decline_from if decline_text == known_decline else _score(decline_text)
    problems = {}
    if review is None:
        problems["review_from"] = "threshold.problem.range"
    if decline is None and decline_text:
        problems["decline_from"] = "threshold.problem.range"
    elif review is not None and decline is not None and decline < review:
        problems["decline_from"] = "threshold.problem.order"
    policy = None if problems or review is None else _changed(in_force, review, decline)
    return Proposal(review_text, decline_text, policy, problems)


def percent_text(score: float) -> str:
    """Return a score as the text of a number field, percent."""
    percent = Decimal(f"{score * 100:.{_DIGITS}g}")
    return f"{percent.normalize():f}"


def _changed(in_force: Policy, review: float, decline: float | None) -> Policy:
    changes: dict[str, Any] = {}
    if review != in_force.threshold:
        changes["threshold"] = review
    if decline != in_force.decline_from:
        changes["decline_from"] = decline
    return changed_policy(in_force, changes) if changes else in_force


def _score(text: str) -> float | None:
    """Return the score of a percentage between 0 and 100; None for any other text."""
    try:
        percent = Decimal(text)
    except InvalidOperation:
        return None
    score = float(percent / 100) if percent.is_finite() else 0.0
    return score if 0 < score < 1 else None
