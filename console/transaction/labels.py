"""The labels of a transaction that are no analyst's feedback, which is shown by itself."""

from __future__ import annotations

from persistence.review.cases import Case
from scoring.labels import EventLabel


def other_labels(case: Case) -> list[EventLabel]:
    """Return the labels of a case, latest first, without those that repeat its feedback.

    Args:
        case: case with all of its feedback and labels; feedback is stored as a label too.
    """
    feedback = {(one.actor, one.created_at) for one in case.feedback}
    return [
        label
        for label in case.labels
        if label.source != "analyst" or (label.actor, label.created_at) not in feedback
    ]
