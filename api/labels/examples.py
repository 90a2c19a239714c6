"""A request and a reply of the labels route, as the OpenAPI document shows them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from api.labels.responses import labels_out
from api.sandbox_examples import LABEL, decision

_REPORTED = datetime(2026, 2, 20, 8, 0, 0, tzinfo=UTC)
_EVENT = decision("TEST-HIGH")
_STORED = replace(
    LABEL,
    id=31,
    source="chargeback",
    occurred_at=_REPORTED,
    amount_lost=_EVENT.transaction.amount,
    created_at=datetime(2026, 2, 21, 6, 0, 0, tzinfo=UTC),
)

A_CHARGEBACK: dict[str, Any] = {
    "labels": [
        {
            "external_id": _EVENT.transaction.external_id,
            "label": "fraud",
            "source": "chargeback",
            "occurred_at": "2026-02-20T08:00:00Z",
            "amount_lost": _EVENT.transaction.amount,
        }
    ]
}
A_DISPUTE_WON: dict[str, Any] = {
    "labels": [
        {
            "transaction_id": str(_EVENT.transaction_id),
            "label": "fraud",
            "source": "chargeback",
            "reversed": True,
        }
    ]
}
STORED: dict[str, Any] = labels_out(
    [(_EVENT.transaction_id, _STORED)], {_EVENT.transaction_id: _STORED}
).model_dump(mode="json")
