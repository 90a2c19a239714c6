"""The sandbox payments and what the service replies to them: examples of the OpenAPI document.

A tenant in test mode gets these replies but for the ids, the times and the key's prefix.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from persistence.decisions.rows import Decided
from persistence.review.cases import Case, Feedback
from scoring.labels import EventLabel, effective_label
from scoring.model.sandbox import FIXED_TESTS, fixed_prediction
from scoring.transaction import Transaction, from_wire

DECIDED_AT = datetime(2026, 1, 31, 12, 0, 0, 123456, tzinfo=UTC)
_FIRST_TRANSACTION = UUID("019c1414-987b-7a3c-8d52-6f0e9b1c2a10")
_FIRST_PREDICTION = UUID("019c1414-987b-7f21-9b64-2c7d8e5a4b10")
_KEY_PREFIX = "k3Jd82mQpz"


def payment(payer: str) -> dict[str, Any]:
    """Return the body of a payment.

    Args:
        payer: account that pays; one of FIXED_TESTS for a fixed decision.
    """
    return {
        "step": 312,
        "type": "TRANSFER",
        "amount": 461730.1,
        "nameOrig": payer,
        "oldbalanceOrg": 461730.1,
        "nameDest": "C553264065",
        "oldbalanceDest": 0.0,
        "external_id": f"{payer.lower()}-1",
    }


def decision(payer: str) -> Decided:
    """Return the stored decision about a payer's payment.

    Args:
        payer: one of FIXED_TESTS.
    """
    transaction: Transaction = from_wire(payment(payer))
    number = list(FIXED_TESTS).index(payer)
    return Decided(
        tenant_id=1,
        transaction_id=UUID(int=_FIRST_TRANSACTION.int + number),
        prediction_id=UUID(int=_FIRST_PREDICTION.int + number),
        transaction=transaction,
        prediction=fixed_prediction(transaction),
        latency_ms=0.9,
        decided_at=DECIDED_AT,
    )


FEEDBACK = Feedback(
    id=7,
    label="confirmed_fraud",
    rationale="The customer reports that the phone was stolen.",
    actor=_KEY_PREFIX,
    created_at=datetime(2026, 1, 31, 12, 30, 0, tzinfo=UTC),
)
LABEL = EventLabel(
    id=9,
    label="fraud",
    source="analyst",
    reversed=False,
    occurred_at=FEEDBACK.created_at,
    amount_lost=None,
    actor=_KEY_PREFIX,
    created_at=FEEDBACK.created_at,
)
"""The label that the feedback is."""


def case(payer: str, *feedback: Feedback) -> Case:
    """Return the case of a payer's payment.

    Args:
        payer: one of FIXED_TESTS.
        feedback: feedback on it, latest first: FEEDBACK or none.
    """
    labels = (LABEL,) if feedback else ()
    return Case(
        decision(payer),
        undecided=not feedback,
        feedback=feedback,
        label=effective_label(labels),
        labels=labels,
    )
