"""Parts of replies that several routes share."""

from __future__ import annotations

from typing import Any

import orjson
from starlette.responses import Response

from scoring.prediction import ModelVersion, Prediction
from scoring.reasons import reasons
from scoring.rules.verdict import Verdict
from web.schemas import ModelOut


def explained(prediction: Prediction) -> dict[str, Any]:
    """Render all parts of a prediction: every feature, and the reasons as sentences.

    `approval_probability` is among them only where chance had a part in the decision.
    """
    return {
        "score": prediction.score,
        "raw_probability": prediction.raw_probability,
        "margin": prediction.margin,
        "base_value": prediction.base_value,
        "features": [_feature(prediction, i) for i in range(len(prediction.features))],
        "reasons": reasons(prediction),
        "risk_band": prediction.risk_band,
        "decision": prediction.decision,
        "threshold": prediction.threshold,
        "model": model(prediction.model),
        **by_chance(prediction),
        **by_rules(prediction),
    }


def by_rules(prediction: Prediction) -> dict[str, Any]:
    """Render what decided; empty where the tenant has no rules, no lists and declines nothing.

    The names of rules and lists are not among it: a reply that is sent again has what was stored.
    """
    ruling, decline_threshold = prediction.ruling, prediction.decline_threshold
    if ruling is None and decline_threshold is None:
        return {}
    rendered: dict[str, Any] = {"decline_threshold": decline_threshold}
    verdict = ruling.verdict if ruling else Verdict(prediction.decision)
    rendered["decided_by"] = verdict.decided_by._asdict()
    rendered["rules"] = {
        name: [{"id": rule_id, "version": version} for rule_id, version in getattr(verdict, name)]
        for name in ("fired", "shadow", "snoozed", "failed")
    }
    rendered["list_entries"] = [entry._asdict() for entry in verdict.entries]
    return rendered


def by_chance(prediction: Prediction) -> dict[str, float]:
    """Render the probability of a randomised approval; empty where chance had no part."""
    probability = prediction.approval_probability
    return {} if probability is None else {"approval_probability": probability}


def model(version: ModelVersion) -> dict[str, Any]:
    """Render which model version decided."""
    return {"name": version.name, "version": version.version}


def model_out(version: ModelVersion) -> ModelOut:
    """Return the schema of a model version."""
    return ModelOut(name=version.name, version=version.version)


def _feature(prediction: Prediction, index: int) -> dict[str, Any]:
    return {
        "name": prediction.described.names[index],
        "value": prediction.features[index],
        "contribution": prediction.contributions[index],
        "display_value": prediction.described.display_values[index].get(prediction.features[index]),
    }


def json_reply(document: dict[str, Any], status: int = 200) -> Response:
    """Render a document."""
    return json_response(orjson.dumps(document), status)


def json_response(body: bytes, status: int = 200) -> Response:
    """Return a response with a body that is JSON already."""
    return Response(body, status, media_type="application/json")
