"""Cases and audit entries as reply bodies; their shapes are declared in `api/review/schemas.py`."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from persistence.review.audit import AuditEntry
from persistence.review.cases import Case, Feedback
from scoring.reasons import reasons
from scoring.transaction import Transaction
from web.responses import explained, model


def case_in_list(case: Case) -> dict[str, Any]:
    """Render a case as an entry of a list."""
    decided, prediction = case.decided, case.decided.prediction
    return {
        "transaction_id": decided.transaction_id,
        "prediction_id": decided.prediction_id,
        "decided_at": decided.decided_at,
        "transaction": _transaction(decided.transaction),
        "score": prediction.score,
        "risk_band": prediction.risk_band,
        "decision": prediction.decision,
        "threshold": prediction.threshold,
        "reasons": reasons(prediction),
        "model": model(prediction.model),
        "undecided": case.undecided,
        "feedback": feedback(case.feedback[0]) if case.feedback else None,
    }


def case_detail(case: Case) -> dict[str, Any]:
    """Render a case with every feature and the whole history."""
    decided = case.decided
    return {
        "transaction_id": decided.transaction_id,
        "transaction": _transaction(decided.transaction),
        "prediction": {
            "prediction_id": decided.prediction_id,
            **explained(decided.prediction),
            "decided_at": decided.decided_at,
        },
        "undecided": case.undecided,
        "feedback": [feedback(said) for said in case.feedback],
    }


def feedback(said: Feedback) -> dict[str, Any]:
    """Render one feedback."""
    return asdict(said)


def audit_entry(entry: AuditEntry) -> dict[str, Any]:
    """Render one change."""
    return asdict(entry)


def _transaction(transaction: Transaction) -> dict[str, Any]:
    return {
        "step": transaction.step,
        "type": transaction.type,
        "amount": transaction.amount,
        "nameOrig": transaction.name_orig,
        "oldbalanceOrg": transaction.oldbalance_org,
        "nameDest": transaction.name_dest,
        "oldbalanceDest": transaction.oldbalance_dest,
        "external_id": transaction.external_id,
    }
