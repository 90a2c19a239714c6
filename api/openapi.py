"""One OpenAPI document for every route, and the page that shows it without the internet."""

from __future__ import annotations

from functools import cache
from typing import Any

import orjson
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from api import schemas
from scoring import __version__

_PROBLEMS = {
    401: "no API key, or one that is unknown, expired or revoked",
    403: "the key lacks the scope",
    404: "not there, or not yours",
    413: "the body is too large",
    422: "the request is not valid; `errors` names each field",
    429: "too busy; nothing was decided",
    500: "a fault of ours; nothing was decided",
    503: "no production model, or Postgres is away; nothing was decided",
    504: "no decision in time; repeat with the same external_id",
}

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
    """Return the OpenAPI 3.1 document as JSON."""
    models = [(m, mode) for _, _, _, i, o in _ROUTES for m, mode in _both(i, o)]
    _, definitions = models_json_schema(
        [*models, (schemas.Problem, "serialization")], ref_template="#/components/schemas/{model}"
    )
    return orjson.dumps(
        {
            "openapi": "3.1.0",
            "info": {
                "title": "Sentinel",
                "version": __version__,
                "description": "Fraud decisions with exact reasons, stored before they are told.",
            },
            "paths": {**{route[0]: {"post": _operation(*route)} for route in _ROUTES}, **_HEALTH},
            "components": {
                "schemas": definitions["$defs"],
                "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
            },
        }
    )


def _both(request: type[BaseModel], reply: type[BaseModel]) -> list[tuple[type[BaseModel], Any]]:
    return [(request, "validation"), (reply, "serialization")]


def _operation(
    path: str, summary: str, description: str, request: type[BaseModel], reply: type[BaseModel]
) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": path.strip("/").replace("/", "_"),
        "summary": summary,
        "description": description,
        "security": [{"key": []}],
        "requestBody": {"required": True, "content": {"application/json": _ref(request)}},
        "responses": {
            "200": {"description": "decided", "content": {"application/json": _ref(reply)}},
            **{str(status): _problem(text) for status, text in _PROBLEMS.items()},
        },
    }
    if path == "/score":
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


def _ref(model: type[BaseModel]) -> dict[str, Any]:
    return {"schema": {"$ref": f"#/components/schemas/{model.__name__}"}}


def _problem(description: str) -> dict[str, Any]:
    return {
        "description": description,
        "content": {"application/problem+json": _ref(schemas.Problem)},
    }


_TEXT = {"200": {"description": "yes"}}
_HEALTH: dict[str, Any] = {
    "/livez": {"get": {"summary": "Is the process alive?", "responses": _TEXT}},
    "/readyz": {
        "get": {
            "summary": "Can it decide a payment now?",
            "responses": {**_TEXT, "503": _problem("no; `checks` says why")},
        }
    },
    "/metrics": {"get": {"summary": "Prometheus metrics", "responses": _TEXT}},
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


async def openapi_json(_: Request) -> Response:
    """Serve the document."""
    return Response(document(), media_type="application/json")


async def docs_page(_: Request) -> Response:
    """Serve the page."""
    return HTMLResponse(_PAGE)


async def index(_: Request) -> Response:
    """Send a browser to the page."""
    return RedirectResponse("/docs")
