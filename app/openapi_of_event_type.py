"""The OpenAPI document with a tenant's own event type as the body of the scoring routes."""

from __future__ import annotations

from typing import Any

import orjson

from app.openapi import document
from scoring.event_type.fields import EventType
from scoring.event_type.json_schema import json_schema
from serving.schemas import TransactionIn

_BODY = TransactionIn.__name__
_SCORING_PATHS = ("/score", "/score/batch", "/explain")


def document_of(event_type: EventType) -> bytes:
    """Return the OpenAPI 3.1 document as JSON.

    The examples of bodies are left out, since they are PaySim's transactions.

    Args:
        event_type: event type in force; not PaySim's.
    """
    described: dict[str, Any] = orjson.loads(document())
    # The dialect of OpenAPI 3.1 is JSON Schema 2020-12 already; a subschema may not name one.
    body = {key: value for key, value in json_schema(event_type).items() if key != "$schema"}
    described["components"]["schemas"][_BODY] = body
    for path in _SCORING_PATHS:
        content = described["paths"][path]["post"]["requestBody"]["content"]
        del content["application/json"]["examples"]
    return orjson.dumps(described)
