"""The rows of the queue as the page shows them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from console.event_values import ShownValue, shown_entities
from console.formats import Formats
from console.reasons import Reason, shown_reasons
from persistence.review.assignments import Assignment
from persistence.review.cases import Feedback
from persistence.review.queue import QueueEntry
from persistence.rules.display_names import DisplayNames
from scoring.prediction import Prediction

Translate = Callable[..., str]


@dataclass(frozen=True, slots=True)
class QueueRow:
    """A decision of the queue.

    Attributes:
        entry: decision and who works on it.
        amount: amount of the payment; None where its event type has none.
        entities: who pays, who receives, and the others.
        reason: what moved the score most; None where nothing did.
        decided_by: what gave the outcome.
        feedback: latest feedback; None: there is none.
        who: who works on it, in words; empty: nobody.
    """

    entry: QueueEntry
    amount: float | None
    entities: list[ShownValue]
    reason: Reason | None
    decided_by: str
    feedback: Feedback | None
    who: str

    @property
    def id(self) -> UUID:
        """Transaction of the row."""
        return self.entry.case.decided.transaction_id

    @property
    def item(self) -> str:
        """The row in a form: its transaction, and the feedback that the page shows."""
        return f"{self.id}.{self.feedback.id if self.feedback else ''}"


def queue_row(
    entry: QueueEntry, names: DisplayNames, user_id: int, formats: Formats, text: Translate
) -> QueueRow:
    """Return a row of the queue.

    Args:
        entry: decision and who works on it.
        names: names of rules and lists.
        user_id: account of the person who looks.
        formats: how the person sees numbers.
        text: texts in the person's language.
    """
    case, prediction = entry.case, entry.case.decided.prediction
    event = case.decided.transaction
    stated = shown_reasons(prediction, formats)
    return QueueRow(
        entry=entry,
        amount=event.amount,
        entities=shown_entities(event, formats),
        reason=stated[0] if stated else None,
        decided_by=decided_by(prediction, names, formats, text),
        feedback=case.feedback[0] if case.feedback else None,
        who=who_works(entry.assignment, user_id, text),
    )


def decided_by(
    prediction: Prediction, names: DisplayNames, formats: Formats, text: Translate
) -> str:
    """Return what gave an outcome: a rule or a list by its name, or the model's threshold."""
    verdict = prediction.ruling.verdict if prediction.ruling else None
    decider = verdict.decided_by if verdict else None
    if verdict and decider and decider.kind == "rule" and decider.id is not None:
        return text("queue.by_rule", name=names.rules.get(decider.id, decider.id))
    if verdict and decider and decider.kind == "list_entry":
        matched = [entry.list_id for entry in verdict.entries if entry.entry_id == decider.id]
        name = names.lists.get(matched[0], matched[0]) if matched else decider.id
        return text("queue.by_list", name=name)
    threshold = prediction.threshold
    if prediction.decision == "decline" and prediction.decline_threshold is not None:
        threshold = prediction.decline_threshold
    return text("queue.by_model", threshold=formats.percent(threshold, 2))


def who_works(assignment: Assignment | None, user_id: int, text: Translate) -> str:
    """Return who works on a decision, in words; empty for nobody."""
    if assignment is None:
        return ""
    kind = "looks" if assignment.is_claim else "assigned"
    whose = "me" if assignment.user_id == user_id else "other"
    return text(f"queue.{kind}.{whose}", name=assignment.name)


def row_state(
    assignment: Assignment | None, feedback: Feedback | None, user_id: int, text: Translate
) -> dict[str, Any]:
    """Return the state of a row that changes while the page is open, as JSON for its script.

    Args:
        assignment: who works on it; None: nobody.
        feedback: latest feedback; None: there is none.
        user_id: account of the person who looks.
        text: texts in the person's language.
    """
    state: dict[str, Any] = {
        "who": who_works(assignment, user_id, text),
        "other": assignment is not None and assignment.user_id != user_id,
    }
    if feedback is not None:
        state["verdict"] = {
            "seen": feedback.id,
            "label": feedback.label,
            "text": text(f"verdict.{feedback.label}"),
            "by": text("verdicts.by", name=feedback.actor),
        }
    return state
