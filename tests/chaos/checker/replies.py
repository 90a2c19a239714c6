"""Answers against each other: a repeat that differs, a batch of two versions, a wrong status."""

from __future__ import annotations

from collections.abc import Iterator

from tests.chaos.checker.evidence import Answer, Evidence, Finding
from tests.chaos.history import UNANSWERED
from tests.chaos.payments import mark_of

ALLOWED = {200, 409, 429, 503, 504, UNANSWERED}
"""Statuses that a valid payment may be answered with while there are faults."""


def answered_differently(evidence: Evidence) -> Iterator[Finding]:
    """Find payments with two answers, and ids that stand for two payments."""
    for (tenant, mark), answers in evidence.answers.items():
        kept = [answer for answer in answers if not evidence.may_be_decided_again(answer)]
        first = kept[0] if kept else None
        for answer in kept[1:]:
            if _of(answer) != _of(kept[0]):
                sentence = (
                    f"The answers of lines {kept[0].attempt.number} and {answer.attempt.number}"
                    f" differ: {_of(kept[0])}, {_of(answer)}."
                )
                yield Finding("answered differently", sentence, tenant, mark, answer.attempt.number)
        if first is not None and _is_taken(evidence, tenant, mark, first):
            sentence = "It was decided, although its external_id stands for another payment."
            yield Finding("answered differently", sentence, tenant, mark, first.attempt.number)


def _of(answer: Answer) -> tuple[object, ...]:
    decision = answer.decision
    return tuple(decision[name] for name in ("prediction_id", "score", "decision", "threshold"))


def _is_taken(evidence: Evidence, tenant: str, mark: str, answer: Answer) -> bool:
    """Whether the payment came under an id that had been answered for another payment."""
    external_id = answer.attempt.payments[answer.place].get("external_id")
    if external_id is None or external_id == mark:
        return False
    earlier = evidence.answers.get((tenant, external_id), [])
    return any(one.attempt.got < answer.attempt.sent for one in earlier)


def mixed(evidence: Evidence) -> Iterator[Finding]:
    """Find batches whose new payments were decided by more than one version or threshold."""
    for attempt in evidence.attempts:
        if attempt.route != "/score/batch" or not attempt.decisions:
            continue
        by = {
            (decision["model"]["name"], decision["model"]["version"], decision["threshold"])
            for place, decision in enumerate(attempt.decisions)
            if _is_new(evidence, attempt.tenant, Answer(attempt, place, decision))
        }
        if len(by) > 1:
            sentence = f"One batch was decided by {' and '.join(map(str, sorted(by)))}."
            yield Finding("mixed", sentence, attempt.tenant, "", attempt.number)


def _is_new(evidence: Evidence, tenant: str, answer: Answer) -> bool:
    """Whether no earlier operation has sent the payment."""
    mark = mark_of(answer.attempt.payments[answer.place])
    return evidence.sent[tenant, mark][0].attempt.operation == answer.attempt.operation


def unexpected_status(evidence: Evidence) -> Iterator[Finding]:
    """Find statuses that no fault excuses."""
    for attempt in evidence.attempts:
        # A transaction of another tenant is not there; one that is shown is `crossed`.
        allowed = ALLOWED if attempt.payments else ALLOWED | {404}
        if attempt.status == 422 and evidence.has_other_payment(attempt):
            continue
        if attempt.status not in allowed:
            sentence = f"{attempt.route} was answered with {attempt.status} {attempt.problem}."
            yield Finding("unexpected status", sentence, attempt.tenant, "", attempt.number)
