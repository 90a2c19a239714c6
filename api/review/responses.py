"""Replies of the review routes, built from the domain's values."""

from __future__ import annotations

from datetime import datetime
from typing import Any, cast

from api.labels.responses import effective_out, label_out
from api.review.schemas import (
    AuditEntryOut,
    AuditPage,
    CaseDetail,
    CaseOut,
    CasePage,
    FeedbackOut,
    PredictionOut,
    TransactionOut,
)
from persistence.decisions.rows import Decided
from persistence.review.audit import AuditEntry
from persistence.review.cases import Case, Feedback, Page
from scoring.event import AnyEvent
from scoring.reasons import reasons
from scoring.transaction import Transaction
from web.responses import by_rules, explained, model_out


def case_page(page: Page[Case, Any], next_cursor: str | None) -> CasePage:
    """Return the reply of a page of cases."""
    return CasePage(items=[case_out(case) for case in page.entries], next_cursor=next_cursor)


def case_out(case: Case) -> CaseOut:
    """Return a case as an entry of a list."""
    decided, prediction = case.decided, case.decided.prediction
    return CaseOut(
        transaction_id=decided.transaction_id,
        prediction_id=decided.prediction_id,
        decided_at=_decided_at(decided),
        transaction=_transaction_out(decided.transaction),
        score=prediction.score,
        risk_band=prediction.risk_band,
        decision=prediction.decision,
        threshold=prediction.threshold,
        approval_probability=prediction.approval_probability,
        decided_by=by_rules(prediction).get("decided_by"),
        reasons=reasons(prediction),
        model=model_out(prediction.model),
        undecided=case.undecided,
        feedback=feedback_out(case.feedback[0]) if case.feedback else None,
        display_time=decided.transaction.display_time,
        label=effective_out(case.label),
    )


def case_detail(case: Case) -> CaseDetail:
    """Return a case with every feature, all of its feedback and all of its labels."""
    return CaseDetail(
        transaction_id=case.decided.transaction_id,
        transaction=_transaction_out(case.decided.transaction),
        prediction=_prediction_out(case.decided),
        undecided=case.undecided,
        feedback=[feedback_out(feedback) for feedback in case.feedback],
        display_time=case.decided.transaction.display_time,
        labels=[label_out(label) for label in case.labels],
        label=effective_out(case.label),
    )


def feedback_out(feedback: Feedback) -> FeedbackOut:
    """Return the reply of one feedback."""
    return FeedbackOut(
        id=feedback.id,
        label=feedback.label,
        rationale=feedback.rationale,
        actor=feedback.actor,
        created_at=feedback.created_at,
    )


def audit_page(page: Page[AuditEntry, Any], next_cursor: str | None) -> AuditPage:
    """Return the reply of a page of the audit log."""
    return AuditPage(
        items=[
            AuditEntryOut(
                id=entry.id,
                at=entry.at,
                actor=entry.actor,
                action=entry.action,
                before=entry.before,
                after=entry.after,
                via=entry.via,
                object=entry.object,
                details=entry.details,
            )
            for entry in page.entries
        ],
        next_cursor=next_cursor,
    )


def _prediction_out(decided: Decided) -> PredictionOut:
    return PredictionOut(
        prediction_id=decided.prediction_id,
        decided_at=_decided_at(decided),
        **_ABSENT | explained(decided.prediction),
    )


_ABSENT: dict[str, Any] = dict.fromkeys(
    ("approval_probability", "decided_by", "decline_threshold", "rules", "list_entries")
)
"""Parts of a prediction that others leave out where they say nothing."""


def _decided_at(decided: Decided) -> datetime:
    """Return when a stored decision was made; the schema refuses one that is not stored."""
    return cast("datetime", decided.decided_at)


def _transaction_out(event: AnyEvent) -> TransactionOut | dict[str, Any]:
    submitted = event.document() | {"external_id": event.external_id}
    return TransactionOut(**submitted) if isinstance(event, Transaction) else submitted
