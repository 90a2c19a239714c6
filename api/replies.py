"""Domain values as reply bodies; their shapes are declared in `api/schemas.py`."""

from __future__ import annotations

from collections.abc import Iterable
from time import perf_counter
from typing import Any

import orjson
from starlette.responses import Response

from persistence.decisions import Decided
from scoring.features import FEATURE_NAMES
from scoring.prediction import ModelVersion, Prediction
from scoring.reasons import reasons


def score_reply(decided: Decided, arrived_s: float) -> Response:
    """Render one decision."""
    return json_reply(_scored(decided, _elapsed_ms(arrived_s)))


def batch_reply(decisions: Iterable[Decided], arrived_s: float) -> Response:
    """Render the decisions of a batch, in order."""
    latency_ms = _elapsed_ms(arrived_s)
    results = [_scored(decided, latency_ms) for decided in decisions]
    return json_reply({"results": results, "total_latency_ms": _elapsed_ms(arrived_s)})


def explain_reply(prediction: Prediction, prediction_id: str | None, arrived_s: float) -> Response:
    """Render a prediction with every feature and its reasons as sentences."""
    whole = explained(prediction)
    return json_reply(
        {"prediction_id": prediction_id, **whole, "latency_ms": _elapsed_ms(arrived_s)}
    )


def explained(prediction: Prediction) -> dict[str, Any]:
    """Render all that a prediction says: every feature, and the reasons as sentences."""
    return {
        "score": prediction.score,
        "raw_probability": prediction.raw_probability,
        "margin": prediction.margin,
        "base_value": prediction.base_value,
        "features": [_feature(prediction, i) for i in range(len(FEATURE_NAMES))],
        "reasons": reasons(prediction),
        "risk_band": prediction.risk_band,
        "decision": prediction.decision,
        "threshold": prediction.threshold,
        "model": model(prediction.model),
    }


def model(version: ModelVersion) -> dict[str, Any]:
    """Render which model version decided."""
    return {"name": version.name, "version": version.version}


def _scored(decided: Decided, latency_ms: float) -> dict[str, Any]:
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
        "latency_ms": latency_ms,
    }


def _feature(prediction: Prediction, index: int) -> dict[str, Any]:
    return {
        "name": FEATURE_NAMES[index],
        "value": prediction.features[index],
        "contribution": prediction.contributions[index],
    }


def _elapsed_ms(arrived_s: float) -> float:
    return round((perf_counter() - arrived_s) * 1e3, 3)


def json_reply(document: dict[str, Any], status: int = 200) -> Response:
    """Render a document."""
    return Response(orjson.dumps(document), status, media_type="application/json")
