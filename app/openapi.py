"""One OpenAPI document for every route, and the page that shows it without the internet.

A route declares its body, its reply and its problems where it is defined; this module joins what
FastAPI generates from that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import orjson
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from api.drift.routes import router as drift_router
from api.models.routes import router as models_router
from api.openapi_responses import problem
from api.request_body import JsonBody
from api.review.routes import router as review_router
from app.scoring_operations import router as scoring_router
from scoring import __version__
from web.schemas import Problem

ROUTERS = (models_router, drift_router, review_router)
"""Routers of the management routes."""


@cache
def document() -> bytes:
    """Return the OpenAPI 3.1 document as JSON."""
    routes = [route for router in (scoring_router, *ROUTERS) for route in router.routes]
    paths = get_openapi(title="", version="", routes=routes)["paths"]
    operations = [route for route in routes if isinstance(route, APIRoute)]
    references, definitions = _schemas(operations)
    for route in operations:
        body = _body_schema(route)
        if body:
            schema = references[body, "validation"]
            request_body = {"required": True, "content": {"application/json": {"schema": schema}}}
            for method in route.methods or ():
                paths[route.path][method.lower()]["requestBody"] = request_body
    return orjson.dumps(
        {
            "openapi": "3.1.0",
            "info": {
                "title": "Sentinel",
                "version": __version__,
                "description": "Fraud decisions with exact reasons, stored before the reply.",
            },
            "paths": paths | _HEALTH,
            "components": {
                "schemas": definitions,
                "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
            },
            "security": [{"key": []}],
        }
    )


def _schemas(
    routes: Sequence[APIRoute],
) -> tuple[Mapping[Any, dict[str, Any]], dict[str, Any]]:
    """Return a reference to the schema of each body and reply, and the schemas by name.

    FastAPI generates the schemas too, but without the nulls of their examples and defaults.
    """
    models: dict[tuple[type[BaseModel], JsonSchemaMode], None] = {(Problem, "serialization"): None}
    for route in routes:
        body, reply = _body_schema(route), route.response_model
        if body:
            models[body, "validation"] = None
        if isinstance(reply, type) and issubclass(reply, BaseModel):
            models[reply, "serialization"] = None
    references, schemas = models_json_schema(
        list(models), ref_template="#/components/schemas/{model}"
    )
    return references, schemas["$defs"]


def _body_schema(route: APIRoute) -> type[BaseModel] | None:
    """Return the schema of the JSON body that a route declares, if it takes one."""
    calls = [dependency.call for dependency in route.dependant.dependencies]
    return next((call.schema for call in calls if isinstance(call, JsonBody)), None)


def _health(operation_id: str, summary: str, *, unready: bool = False) -> dict[str, Any]:
    responses: dict[str, Any] = {"200": {"description": "yes"}}
    if unready:
        responses["503"] = problem("no; `checks` says why")
    # No key is needed.
    operation = {"operationId": operation_id, "summary": summary, "security": []}
    return {"get": {**operation, "responses": responses}}


_HEALTH: dict[str, Any] = {
    "/livez": _health("livez", "Is the process alive?"),
    "/readyz": _health("readyz", "Can it decide a payment now?", unready=True),
    "/metrics": _health("metrics", "Prometheus metrics"),
}
