"""Render decisions as reply bodies; their shapes are declared in `serving/schemas.py`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from time import perf_counter
from typing import Any
from uuid import UUID

import orjson
from starlette.responses import Response

from persistence.decisions.rows import Decided
from scoring.features import FEATURE_NAMES
from scoring.prediction import Prediction
from web.responses import _reply, explained, json_reply, model


class RenderedReplies:
    """Decisions rendered while Postgres stores them: a third of the service's time of 1000 rows.

    They lack their end, the latency, which is known when the reply is sent.
    """

    def __init__(self) -> None:
        self._made: dict[UUID, bytes] = {}

    def make(self, decisions: Iterable[Decided]) -> None:
        """Render decisions that are being stored."""
        for decided in decisions:
            self._made[decided.prediction_id] = _without_end(decided)

    def of(self, stored: Decided) -> bytes:
        """Return a stored decision's rendering: made before, unless it was stored earlier."""
        return self._made.get(stored.prediction_id) or _without_end(stored)


def score_reply(decision: bytes, arrived_s: float) -> Response:
    """Finish one decision of `RenderedReplies`."""
    return _reply(decision + _end(arrived_s))


def batch_reply(decisions: Sequence[bytes], arrived_s: float) -> Response:
    """Finish the decisions of a batch, in order; at least one."""
    end = _end(arrived_s)
    results = (end + b",").join(decisions) + end
    return _reply(b'{"results":[%b],"total_latency_ms":%r}' % (results, _elapsed_ms(arrived_s)))


def explain_reply(prediction: Prediction, prediction_id: str | None, arrived_s: float) -> Response:
    """Render a prediction with every feature and its reasons as sentences."""
    whole = explained(prediction)
    return json_reply(
        {"prediction_id": prediction_id, **whole, "latency_ms": _elapsed_ms(arrived_s)}
    )


def _decision(decided: Decided) -> dict[str, Any]:
    prediction = decided.prediction
    features, contributions = prediction.features, prediction.contributions
    return {
        "transaction_id": decided.transaction_id,
        "prediction_id": decided.prediction_id,
        "score": prediction.score,
        "risk_band": prediction.risk_band,
        "decision": prediction.decision,
        "threshold": prediction.threshold,
        "top_features": [
            {"name": FEATURE_NAMES[i], "value": features[i], "contribution": contributions[i]}
            for i in prediction.top_features()
        ],
        "base_value": prediction.base_value,
        "margin": prediction.margin,
        "model": model(prediction.model),
    }


def _without_end(decided: Decided) -> bytes:
    return orjson.dumps(_decision(decided)).removesuffix(b"}")


def _end(arrived_s: float) -> bytes:
    return b',"latency_ms":%r}' % _elapsed_ms(arrived_s)


def _elapsed_ms(arrived_s: float) -> float:
    return round((perf_counter() - arrived_s) * 1e3, 3)
