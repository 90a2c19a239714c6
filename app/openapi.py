"""One OpenAPI document for every route, and the page that shows it without the internet."""

from __future__ import annotations

from functools import cache
from typing import Any

import orjson
from fastapi import APIRouter
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema
from starlette.responses import HTMLResponse, RedirectResponse, Response

from api.drift import schemas as drift_schemas
from api.drift.routes import DRIFT
from api.models import policy_schemas
from api.models import schemas as lifecycle_schemas
from api.models.routes import LIFECYCLE
from api.openapi_responses import (
    ANYWHERE,
    links_to_transaction,
    problem_response,
    problems,
    reference,
)
from api.review import schemas as review_schemas
from api.review.routes import REVIEW
from scoring import __version__
from serving import schemas
from web.schemas import Problem

ROUTERS = (REVIEW, LIFECYCLE, DRIFT)
"""Routers of the management routes."""

_ROUTES: tuple[tuple[str, str, str, type[BaseModel], type[BaseModel]], ...] = (
    (
        "/score",
        "Decide one transaction",
        "Scores, explains, decides and stores it before replying. The same `external_id` (or "
        "Idempotency-Key header) and body return the stored decision. Scope: score.",
        schemas.TransactionIn,
        schemas.ScoreReply,
    ),
    (
        "/score/batch",
        "Decide up to 1000 transactions",
        "All are stored or none; one bad row refuses the request and is named. Scope: score.",
        schemas.BatchRequest,
        schemas.BatchReply,
    ),
    (
        "/explain",
        "Explain a transaction or a stored prediction",
        "Every feature's contribution, and the reasons as sentences. Scope: score or review.",
        schemas.ExplainRequest,
        schemas.ExplainReply,
    ),
)


@cache
def document() -> bytes:
    """Return the OpenAPI 3.1 document as JSON: scoring, management and health."""
    routes = [route for router in ROUTERS for route in router.routes]
    management = get_openapi(title="", version="", routes=routes)
    models = [(m, mode) for _, _, _, i, o in _ROUTES for m, mode in _both(i, o)]
    models += _both(review_schemas.FeedbackIn, Problem)
    models += _both(policy_schemas.PolicyIn, policy_schemas.PolicyOut)
    # FastAPI knows these too, but drops every null from their examples.
    models.append((lifecycle_schemas.TunerReply, "serialization"))
    models.append((lifecycle_schemas.ModelsReply, "serialization"))
    models.append((drift_schemas.DriftReply, "serialization"))
    _, definitions = models_json_schema(models, ref_template="#/components/schemas/{model}")
    return orjson.dumps(
        {
            "openapi": "3.1.0",
            "info": {
                "title": "Sentinel",
                "version": __version__,
                "description": "Fraud decisions with exact reasons, stored before they are told.",
            },
            "paths": {
                **{route[0]: {"post": _operation(*route)} for route in _ROUTES},
                **management["paths"],
                **_HEALTH,
            },
            "components": {
                "schemas": management["components"]["schemas"] | definitions["$defs"],
                "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
            },
            "security": [{"key": []}],
        }
    )


def _both(request: type[BaseModel], reply: type[BaseModel]) -> list[tuple[type[BaseModel], Any]]:
    return [(request, "validation"), (reply, "serialization")]


def _operation(
    path: str, summary: str, description: str, request: type[BaseModel], reply: type[BaseModel]
) -> dict[str, Any]:
    decided = {"description": "decided", "content": {"application/json": reference(reply)}}
    operation: dict[str, Any] = {
        "operationId": path.strip("/").replace("/", "_"),
        "summary": summary,
        "description": description,
        "requestBody": {"required": True, "content": {"application/json": reference(request)}},
        "responses": {
            "200": decided,
            **{str(status): told for status, told in problems(404, 413, *ANYWHERE).items()},
        },
    }
    if path == "/score":
        decided["links"] = links_to_transaction("$response.body#/transaction_id")
        operation["responses"]["409"] = problem_response(
            "the first request with this external_id is being decided"
        )
        operation["parameters"] = [
            {
                "name": "Idempotency-Key",
                "in": "header",
                "description": "stands in for `external_id` when the body has none",
                "schema": schemas.TransactionIn.model_json_schema()["properties"]["external_id"][
                    "anyOf"
                ][0],
            }
        ]
    return operation


def _health(operation_id: str, summary: str, *, unready: bool = False) -> dict[str, Any]:
    responses: dict[str, Any] = {"200": {"description": "yes"}}
    if unready:
        responses["503"] = problem_response("no; `checks` says why")
    # No key is needed.
    asked = {"operationId": operation_id, "summary": summary, "security": []}
    return {"get": {**asked, "responses": responses}}


_HEALTH: dict[str, Any] = {
    "/livez": _health("livez", "Is the process alive?"),
    "/readyz": _health("readyz", "Can it decide a payment now?", unready=True),
    "/metrics": _health("metrics", "Prometheus metrics"),
}
# Swagger UI ships inside BentoML, so the page needs nothing from outside.
_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Sentinel API</title>
<link rel="stylesheet" href="/static_content/swagger-ui.css"></head>
<body><div id="swagger-ui"></div>
<script src="/static_content/swagger-ui-bundle.js"></script>
<script>SwaggerUIBundle({url: "/openapi.json", dom_id: "#swagger-ui"})</script>
</body></html>
"""


pages = APIRouter(include_in_schema=False)
"""The documentation pages."""


@pages.get("/openapi.json")
async def openapi_json() -> Response:
    """Serve the OpenAPI document."""
    return Response(document(), media_type="application/json")


@pages.get("/docs")
async def docs_page() -> Response:
    """Serve the page that shows the document."""
    return HTMLResponse(_PAGE)


@pages.get("/")
async def index() -> Response:
    """Redirect a browser to the page."""
    return RedirectResponse("/docs")
