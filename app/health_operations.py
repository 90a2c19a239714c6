"""The routes of BentoML's server as operations of the OpenAPI document: they need no API key."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field

from api.openapi_responses import named_examples, problem, problem_example
from scoring.errors import Unauthenticated
from web.problem_types import NOT_READY, ProblemType
from web.schemas import Problem

_MODELS = {"fraud-demo": 3}
_JOURNAL = {"in_use": False, "waiting": 0, "bytes": 0}
_READY = {
    "ready": True,
    "checks": {"postgres": "ok", "model": "ok"},
    "journal": _JOURNAL,
    "models": _MODELS,
}
_UNREADY = {
    **problem_example(NOT_READY),
    "ready": False,
    "checks": {"postgres": "ok", "model": "No tenant has a model version in production."},
    "journal": _JOURNAL,
    "models": {},
}
_METRICS = """# TYPE sentinel_predictions_total counter
sentinel_predictions_total{decision="review",model="fraud-demo"} 12.0
"""

Checks = dict[str, str]


class JournalState(BaseModel):
    """The journal of a process."""

    in_use: bool = Field(description="Postgres is away, and payments are decided all the same")
    waiting: int | None = Field(description="decisions that are not in Postgres yet")
    bytes: int | None = Field(description="its size; null where its folder cannot be used")


class Ready(BaseModel):
    """A process that can decide a payment: in Postgres, or in its journal for some tenants."""

    ready: bool
    checks: Checks = Field(description="`ok`, or what is wrong, by dependency")
    journal: JournalState
    models: dict[str, int] = Field(
        description="production version in use, by registered model's name"
    )


class NotReady(Problem):
    """A process that cannot decide a payment, and why."""

    ready: bool
    checks: Checks = Field(description="`ok`, or what is wrong, by dependency")
    journal: JournalState
    models: dict[str, int] = Field(
        description="production version in use, by registered model's name"
    )


HEALTH_SCHEMAS = (JournalState, Ready, NotReady)
"""Schemas of the replies."""


def _operation(operation_id: str, summary: str, responses: dict[str, Any]) -> dict[str, Any]:
    return {
        "get": {
            "tags": ["Health"],
            "operationId": operation_id,
            "summary": summary,
            "security": [],
            "responses": responses,
        }
    }


def _text(description: str, example: str) -> dict[str, Any]:
    content = {"text/plain": {"schema": {"type": "string"}, "example": example}}
    return {"description": description, "content": content}


def _unready() -> dict[str, Any]:
    response = problem(NOT_READY, schema=NotReady.__name__)
    (content,) = response["content"].values()
    content["examples"] = {NOT_READY.code: {"summary": NOT_READY.title, "value": _UNREADY}}
    return response


HEALTH: dict[str, Any] = {
    "/livez": _operation(
        "livez", "Is the process alive?", {"200": _text("it is; the body is a line break", "\n")}
    ),
    "/readyz": _operation(
        "readyz",
        "Can it decide a payment now?",
        {
            "200": {
                "description": "it can",
                "content": {
                    "application/json": {
                        "schema": {"$ref": f"#/components/schemas/{Ready.__name__}"},
                        "examples": named_examples({"ready": _READY}),
                    }
                },
            },
            "503": _unready(),
        },
    ),
    "/metrics": _operation(
        "metrics",
        "Prometheus metrics",
        {
            "200": _text("in Prometheus's text format", _METRICS),
            # Where SENTINEL_METRICS_TOKEN is set.
            "401": problem(ProblemType.of(Unauthenticated)),
        },
    ),
}
"""Path items by path."""
