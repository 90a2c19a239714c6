"""One OpenAPI document for every route, and the page that shows it without the internet.

A route declares its body, its reply, their examples and its problems where it is defined; this
module joins what FastAPI generates from that, and adds what holds for every route.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

import orjson
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from api.drift.routes import router as drift_router
from api.event_types.routes import router as event_types_router
from api.labels.routes import router as labels_router
from api.lists.csv_body import CSV, JsonOrCsvBody
from api.lists.routes import router as lists_router
from api.models.approval_routes import router as approvals_router
from api.models.proposal_routes import router as proposals_router
from api.models.routes import router as models_router
from api.openapi_responses import named_examples
from api.request_body import JsonBody
from api.review.audit_routes import router as audit_router
from api.review.export_routes import router as export_router
from api.review.routes import router as review_router
from api.rules.backtest_routes import router as backtest_router
from api.rules.routes import router as rules_router
from app.health_operations import HEALTH, HEALTH_SCHEMAS
from app.openapi_text import DESCRIPTION, TAGS
from app.scoring_operations import router as scoring_router
from scoring import __version__
from web.problem_types import RETRY_STATUSES
from web.schemas import Problem

ROUTERS = (
    event_types_router,
    models_router,
    approvals_router,
    proposals_router,
    drift_router,
    review_router,
    export_router,
    audit_router,
    labels_router,
    backtest_router,
    rules_router,
    lists_router,
)
"""Routers of the management routes."""

_HEADERS: dict[str, Any] = {
    "X-Request-ID": {
        "description": "the request's own X-Request-ID where it is 1 to 128 of "
        "`A-Z a-z 0-9 . _ : / + @ -`, else a new one; the log and the traces have it too",
        "required": True,
        "schema": {"type": "string", "example": "8f14e45fceea167a5a36dedd4bea2543"},
    },
    "Retry-After": {
        "description": "seconds to wait before the request is sent again",
        "required": True,
        "schema": {"type": "integer", "minimum": 0, "example": 1},
    },
    "WWW-Authenticate": {
        "description": "how to authenticate",
        "required": True,
        "schema": {"type": "string", "example": "Bearer"},
    },
}


@cache
def document() -> bytes:
    """Return the OpenAPI 3.1 document as JSON."""
    routes = [route for router in (scoring_router, *ROUTERS) for route in router.routes]
    paths = get_openapi(title="", version="", routes=routes)["paths"]
    operations = [route for route in routes if isinstance(route, APIRoute)]
    references, definitions = _schemas(operations)
    for route in operations:
        for method in route.methods or ():
            _complete(paths[route.path_format][method.lower()], route, references)
    paths |= HEALTH
    for responses in _responses(paths):
        for status, response in responses.items():
            response.setdefault("headers", {}).update(_headers(int(status)))
    return orjson.dumps(
        {
            "openapi": "3.1.0",
            "info": {"title": "Sentinel", "version": __version__, "description": DESCRIPTION},
            "servers": [{"url": "/", "description": "this service"}],
            "tags": TAGS,
            "paths": paths,
            "components": {
                "schemas": definitions,
                "headers": _HEADERS,
                "securitySchemes": {
                    "key": {
                        "type": "http",
                        "scheme": "bearer",
                        "description": "an API key, `sk_...`; its scopes are score, review, admin",
                    }
                },
            },
            "security": [{"key": []}],
        }
    )


def _complete(
    operation: dict[str, Any], route: APIRoute, references: Mapping[Any, dict[str, Any]]
) -> None:
    """Add the body and the examples that a route declares to what FastAPI generates."""
    if body := _body(route):
        content: dict[str, Any] = {"schema": references[body.schema, "validation"]}
        if body.examples:
            content["examples"] = named_examples(body.examples)
        contents: dict[str, Any] = {"application/json": content}
        if isinstance(body, JsonOrCsvBody):
            contents[CSV] = {"schema": {"type": "string"}, "example": body.csv_example}
        operation["requestBody"] = {"required": body.required, "content": contents}
    for status, declared in route.responses.items():
        generated = operation["responses"][str(status)]
        for media_type, declared_content in declared.get("content", {}).items():
            generated["content"][media_type] |= _examples(declared_content)


def _examples(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return the examples as the route declares them: FastAPI drops their nulls."""
    return {name: content[name] for name in ("example", "examples") if name in content}


def _responses(paths: Mapping[str, Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    for item in paths.values():
        for operation in item.values():
            yield operation["responses"]


def _headers(status: int) -> dict[str, Any]:
    """Return references to the headers that every reply of a status has."""
    names = ["X-Request-ID"]
    if status in RETRY_STATUSES:
        names.append("Retry-After")
    if status == 401:
        names.append("WWW-Authenticate")
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def _schemas(
    routes: Sequence[APIRoute],
) -> tuple[Mapping[Any, dict[str, Any]], dict[str, Any]]:
    """Return a reference to the schema of each body and reply, and the schemas by name.

    FastAPI generates the schemas too, but drops the nulls of their examples.
    """
    models: dict[tuple[type[BaseModel], JsonSchemaMode], None] = {
        (schema, "serialization"): None for schema in (Problem, *HEALTH_SCHEMAS)
    }
    for route in routes:
        body, reply = _body(route), route.response_model
        if body:
            models[body.schema, "validation"] = None
        if isinstance(reply, type) and issubclass(reply, BaseModel):
            models[reply, "serialization"] = None
    references, schemas = models_json_schema(
        list(models), ref_template="#/components/schemas/{model}"
    )
    definitions: dict[str, Any] = schemas["$defs"]
    for definition in definitions.values():
        for member in definition.get("properties", {}).values():
            # Generated clients require a member that has a default: `null` only means `left out`.
            if member.get("default", ...) is None:
                del member["default"]
    return references, definitions


def _body(route: APIRoute) -> JsonBody[Any] | None:
    """Return the JSON body that a route declares, if it takes one."""
    calls = [dependency.call for dependency in route.dependant.dependencies]
    return next((call for call in calls if isinstance(call, JsonBody)), None)
