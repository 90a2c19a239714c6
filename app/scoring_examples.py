"""Requests and replies of the scoring routes, as the OpenAPI document shows them."""

from __future__ import annotations

from typing import Any

import orjson

from api.sandbox_examples import decision, payment
from scoring.model.sandbox import FIXED_TESTS
from serving.responses import RenderedReplies
from web.responses import explained

_LATENCY_MS = 0.9
_NAMES = {payer: payer.lower().replace("-", "_") for payer in FIXED_TESTS}


def _score_reply(payer: str) -> dict[str, Any]:
    rendered = RenderedReplies().get(decision(payer))
    return {**orjson.loads(rendered + b"}"), "latency_ms": _LATENCY_MS}


SCORE = {name: payment(payer) for payer, name in _NAMES.items()}
SCORED = {name: _score_reply(payer) for payer, name in _NAMES.items()}
BATCH = {"test_payments": {"transactions": list(SCORE.values())}}
BATCH_SCORED = {"test_payments": {"results": list(SCORED.values()), "total_latency_ms": 1.4}}

_STORED = decision("TEST-HIGH")
EXPLAIN = {
    "a_stored_prediction": {"prediction_id": str(_STORED.prediction_id)},
    "a_transaction": {"transaction": payment("TEST-HIGH")},
}
EXPLAINED = {
    name: {
        "prediction_id": prediction_id,
        **explained(_STORED.prediction),
        "latency_ms": _LATENCY_MS,
    }
    for name, prediction_id in zip(EXPLAIN, (str(_STORED.prediction_id), None), strict=True)
}
