"""What every route's documentation shares: the problems a caller can meet, and links by id."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from web.problems import MEDIA_TYPE
from web.schemas import Problem

_PROBLEMS = {
    401: "no API key, or one that is unknown, expired or revoked",
    403: "the key lacks the scope",
    404: "not there, or not yours",
    413: "the body is too large",
    422: "the request is not valid; `errors` names each field",
    429: "too busy; nothing was done",
    500: "a fault of ours; nothing was done",
    503: "Postgres is away, or no production model; nothing was done",
    504: "no answer in time; a score may be repeated with the same external_id",
}
ANYWHERE = (401, 403, 422, 429, 500, 503, 504)
"""What every route with a key may answer."""


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the responses of error statuses, each documented in one place."""
    return {status: problem_response(_PROBLEMS[status]) for status in sorted(statuses)}


def problem_response(description: str) -> dict[str, Any]:
    """Return a response that is a problem."""
    return {"description": description, "content": {MEDIA_TYPE: reference(Problem)}}


def reference(model: type[BaseModel]) -> dict[str, Any]:
    """Return a body that is a schema of the document."""
    return {"schema": {"$ref": f"#/components/schemas/{model.__name__}"}}


def links_to_transaction(where: str) -> dict[str, Any]:
    """Return OpenAPI links from a reply to the routes of the transaction it names.

    Args:
        where: a runtime expression, such as `$response.body#/transaction_id`.
    """
    return {
        name: {"operationId": name, "parameters": {"id": where}}
        for name in ("read_transaction", "give_feedback")
    }


TO_QUEUE = {"operationId": "read_queue", "description": "what still waits for an analyst"}
"""The OpenAPI link to the worklist."""
