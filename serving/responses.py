"""Render decisions as reply bodies; `serving/schemas.py` declares their shapes."""

from __future__ import annotations

from collections.abc import Iterable
from time import perf_counter
from typing import Any, NamedTuple
from uuid import UUID

import orjson
from starlette.responses import Response

from persistence.decisions.rows import Decided
from scoring.prediction import Prediction
from web.headers import REPLAYED
from web.responses import by_chance, by_rules, explained, json_reply, json_response, model


class RenderedReplies:
    """The replies of a batch, rendered while Postgres stores its decisions.

    Rendering takes a third of the service's time for 1000 rows. The replies lack the latency, which
    `score_reply` and `batch_reply` append when they are sent.
    """

    def __init__(self) -> None:
        self._rendered: dict[UUID, bytes] = {}

    def render(self, decisions: Iterable[Decided]) -> None:
        """Render decisions that are being stored."""
        for decided in decisions:
            self._rendered[decided.prediction_id] = _without_latency(decided)

    def get(self, stored: Decided) -> bytes:
        """Return the reply to a stored decision; renders one that an earlier request stored."""
        if stored.is_journalled:
            return _without_latency(stored)
        return self._rendered.get(stored.prediction_id) or _without_latency(stored)


class Answered(NamedTuple):
    """The decisions that answer one request, from `RenderedReplies`.

    Attributes:
        decisions: decisions in the order of the request's transactions.
        is_replayed: whether earlier requests stored every one of them.
    """

    decisions: list[bytes]
    is_replayed: bool


def score_reply(answered: Answered, arrived_s: float) -> Response:
    """Return the response to a /score.

    Args:
        answered: one decision, to which the latency is appended.
        arrived_s: `perf_counter()` at the arrival of the request.
    """
    (decision,), is_replayed = answered
    return _marked(json_response(decision + _latency(arrived_s)), is_replayed=is_replayed)


def batch_reply(answered: Answered, arrived_s: float) -> Response:
    """Return the response to a /score/batch.

    Args:
        answered: decisions in the order of the request; at least one.
        arrived_s: `perf_counter()` at the arrival of the request.
    """
    latency = _latency(arrived_s)
    results = (latency + b",").join(answered.decisions) + latency
    body = b'{"results":[%b],"total_latency_ms":%r}' % (results, _elapsed_ms(arrived_s))
    return _marked(json_response(body), is_replayed=answered.is_replayed)


def _marked(response: Response, *, is_replayed: bool) -> Response:
    if is_replayed:
        response.raw_headers.append(REPLAYED)
    return response


def explain_reply(prediction: Prediction, prediction_id: str | None, arrived_s: float) -> Response:
    """Return the response to an /explain: every feature, and the reasons as sentences.

    Args:
        prediction: prediction that is explained.
        prediction_id: id of a stored prediction; None for a transaction of the request.
        arrived_s: `perf_counter()` at the arrival of the request.
    """
    explanation = explained(prediction)
    return json_reply(
        {"prediction_id": prediction_id, **explanation, "latency_ms": _elapsed_ms(arrived_s)}
    )


def _decision(decided: Decided) -> dict[str, Any]:
    prediction = decided.prediction
    features, contributions = prediction.features, prediction.contributions
    described = prediction.described
    reply = {
        "transaction_id": decided.transaction_id,
        "prediction_id": decided.prediction_id,
        "score": prediction.score,
        "risk_band": prediction.risk_band,
        "decision": prediction.decision,
        "threshold": prediction.threshold,
        "top_features": [
            {
                "name": described.names[i],
                "value": (value := features[i]),
                "contribution": contributions[i],
                "display_value": described.display_values[i].get(value),
            }
            for i in prediction.top_features()
        ],
        "base_value": prediction.base_value,
        "margin": prediction.margin,
        "model": model(prediction.model),
        **by_chance(prediction),
        **by_rules(prediction),
    }
    if prediction.unread_windows:
        reply["unread_windows"] = prediction.unread_windows
    if decided.is_journalled:
        reply["stored"] = "journal"
    return reply


def _without_latency(decided: Decided) -> bytes:
    return orjson.dumps(_decision(decided)).removesuffix(b"}")


def _latency(arrived_s: float) -> bytes:
    """Return the end of a rendered decision: its latency in milliseconds."""
    return b',"latency_ms":%r}' % _elapsed_ms(arrived_s)


def _elapsed_ms(arrived_s: float) -> float:
    return round((perf_counter() - arrived_s) * 1e3, 3)
