"""The JSON Schema of an event's body."""

from __future__ import annotations

from typing import Any

from scoring.event_type.fields import EventType, Field
from scoring.event_type.limits import (
    MAX_CATEGORY_LENGTH,
    MAX_ENTITY_LENGTH,
    MAX_INTEGER,
    MAX_TEXT_LENGTH,
)
from scoring.event_type.timestamps import TIMESTAMP_PATTERN
from scoring.event_type.visible_text import visible_pattern
from scoring.external_id import EXTERNAL_ID_PATTERN

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def json_schema(event_type: EventType) -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of the bodies that `EventValidator` accepts.

    Three rules of the validator cannot be written in JSON Schema: an integer has no decimal point
    (to a schema 2.0 is an integer), a timestamp is not before 1970 in UTC, and it is not later than
    24 hours from now. That a date exists is checked by validators that assert `format`.

    Args:
        event_type: valid event type.
    """
    properties = {field.name: _property(field) for field in event_type.fields}
    properties["external_id"] = _or_null(
        {
            "type": "string",
            "pattern": EXTERNAL_ID_PATTERN,
            "description": "your own id, unique in your tenant: the idempotency key",
        }
    )
    return {
        "$schema": DIALECT,
        "title": event_type.name,
        "type": "object",
        "properties": properties,
        "required": [f.name for f in event_type.fields if not (f.optional or f.ignored)],
        "additionalProperties": False,
    }


def _property(field: Field) -> dict[str, Any]:
    if field.ignored:
        return {"description": "accepted and dropped"}
    return _or_null(_value(field)) if field.optional else _value(field)


def _value(field: Field) -> dict[str, Any]:
    match field.kind:
        case "number":
            return {"type": "number", **_bounds(field.minimum, field.maximum)}
        case "integer":
            low = -MAX_INTEGER if field.minimum is None else int(field.minimum)
            high = MAX_INTEGER if field.maximum is None else int(field.maximum)
            return {"type": "integer", **_bounds(low, high)}
        case "boolean":
            return {"type": "boolean"}
        case "category" if field.values is not None:
            return {"type": "string", "enum": list(field.values)}
        case "category":
            return {
                "type": "string",
                "pattern": visible_pattern(MAX_CATEGORY_LENGTH, trimmed=False),
            }
        case "timestamp":
            return {"type": "string", "format": "date-time", "pattern": TIMESTAMP_PATTERN}
        case "entity":
            return {
                "anyOf": [
                    {"type": "string", "pattern": visible_pattern(MAX_ENTITY_LENGTH, trimmed=True)},
                    {"type": "integer", **_bounds(-MAX_INTEGER, MAX_INTEGER)},
                ],
                "description": f"identifies the {field.entity}",
            }
        case "text":
            return {"type": "string", "maxLength": MAX_TEXT_LENGTH, "pattern": "^[^\\u0000]*$"}


def _bounds(low: float | None, high: float | None) -> dict[str, float]:
    bounds = {"minimum": low, "maximum": high}
    return {key: bound for key, bound in bounds.items() if bound is not None}


def _or_null(schema: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [schema, {"type": "null"}]}
