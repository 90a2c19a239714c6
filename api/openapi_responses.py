"""Parts of the OpenAPI document that routes share: the problems of each status, and links."""

from __future__ import annotations

from typing import Any

from web.problems import MEDIA_TYPE
from web.schemas import Problem

_PROBLEMS = {
    401: "no API key, or one that is unknown, expired or revoked",
    403: "the key lacks the scope",
    404: "not there, or not yours",
    409: "the first request with this external_id or Idempotency-Key is being carried out",
    413: "the body is too large",
    415: "the body is compressed, or not UTF-8; Accept-Encoding: identity",
    422: "the request is not valid; `errors` names each field",
    429: "too busy; nothing was done",
    500: "a fault of ours; nothing was done",
    503: "Postgres is away, or no production model; nothing was done",
    504: "no answer in time; a score may be repeated with the same external_id",
}
WITH_BODY = (413, 415)
"""Error statuses of every route that takes a body."""
ANYWHERE = (401, 403, 422, 429, 500, 503, 504)
"""Error statuses of every route that takes a key."""


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the responses of error statuses, each documented in one place."""
    return {status: problem(_PROBLEMS[status]) for status in sorted(statuses)}


def problem(description: str) -> dict[str, Any]:
    """Return a response that is a problem."""
    schema = {"$ref": f"#/components/schemas/{Problem.__name__}"}
    return {"description": description, "content": {MEDIA_TYPE: {"schema": schema}}}


def links_to_transaction(id_expression: str) -> dict[str, Any]:
    """Return OpenAPI links from a reply to the routes of the transaction it names.

    Args:
        id_expression: runtime expression of its id, such as `$response.body#/transaction_id`.
    """
    return {
        name: {"operationId": name, "parameters": {"id": id_expression}}
        for name in ("read_transaction", "give_feedback")
    }


NEXT_PAGE: dict[str, Any] = {
    "Link": {
        "description": '`<...>; rel="next"`: the next page, relative to the request\'s address; '
        "absent on the last page",
        "schema": {"type": "string"},
    },
    "X-Next-Cursor": {
        "description": "`cursor` of the next page; absent on the last page",
        "schema": {"type": "string"},
    },
}
"""The OpenAPI headers of a reply that is one page of a list."""
TO_QUEUE = {"operationId": "read_queue", "description": "what still waits for an analyst"}
"""The OpenAPI link to the worklist."""
