"""The built-in event type: PaySim's mobile-money payments."""

from __future__ import annotations

from scoring.event_type.fields import EventType, Field
from scoring.transaction import MAX_AMOUNT, MAX_BALANCE, MAX_STEP, TRANSACTION_TYPES

PAYSIM = EventType(
    name="paysim",
    label="isFraud",
    fields=(
        # Hours since the tenant's epoch: no calendar is known, so there is no timestamp.
        Field("step", "integer", minimum=0.0, maximum=float(MAX_STEP)),
        Field("type", "category", values=TRANSACTION_TYPES),
        Field("amount", "number", role="amount", minimum=0.0, maximum=MAX_AMOUNT),
        Field("nameOrig", "entity", role="payer", entity="account"),
        Field("oldbalanceOrg", "number", minimum=-MAX_BALANCE, maximum=MAX_BALANCE),
        Field("nameDest", "entity", role="payee", entity="account"),
        Field("oldbalanceDest", "number", minimum=-MAX_BALANCE, maximum=MAX_BALANCE),
        # Not known before the decision.
        Field("newbalanceOrig", "number", ignored=True),
        Field("newbalanceDest", "number", ignored=True),
    ),
)
"""The fields of `scoring.transaction.Transaction`, which accepts fewer account names: ASCII without
spaces, up to 64 characters, and no integers."""
