"""Writing routes: one transaction, carried out once for an Idempotency-Key."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import orjson
from fastapi import Request
from pydantic import BaseModel
from sqlalchemy import Connection
from starlette.responses import Response

from api.dependencies import ApiDependencies
from persistence.api_keys import Principal
from persistence.idempotency import KeyedRequest, Reply, write_once
from scoring.external_id import EXTERNAL_ID_PATTERN
from web.headers import REPLAYED, idempotency_key
from web.responses import json_response

KEY_PARAMETER: dict[str, Any] = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "schema": {"type": "string", "pattern": EXTERNAL_ID_PATTERN},
}
IDEMPOTENT: dict[str, Any] = {
    "parameters": [
        KEY_PARAMETER
        | {
            "description": "your own id of this change, unique in your tenant: repeated with the "
            "same request it changes nothing and returns the first reply; with another one: 422; "
            "while the first is being carried out: 409"
        }
    ]
}
"""What a writing route adds to its operation in the OpenAPI document (`openapi_extra`)."""
REPLAYED_HEADER: dict[str, Any] = {
    "Idempotent-Replayed": {
        "description": "`true`: an earlier request stored what this reply shows",
        "schema": {"type": "string", "enum": ["true"]},
    }
}
"""The OpenAPI header of a reply that may be an earlier one."""


async def write(
    dependencies: ApiDependencies,
    request: Request,
    caller: Principal,
    body: BaseModel | None,
    change: Callable[[Connection], BaseModel],
    *,
    status: int | Callable[[BaseModel], int] = 200,
) -> Response:
    """Make a change in one transaction, once for its Idempotency-Key, and return the reply.

    Args:
        dependencies: what the management routes use.
        request: request with the key, its method and its path.
        caller: caller, whose tenant's rows change.
        body: validated body; None where the route takes none.
        change: function that makes the change inside a `tenant_transaction` and returns the reply.
        status: HTTP status of the reply, or function of the reply that returns it.

    Raises:
        InvalidRequest: the key is not valid.
        InFlight: the first request with the key is not committed yet.
        IdempotencyMismatch: the key was used before with another request.
    """

    def write(connection: Connection) -> Reply:
        made = change(connection)
        code = status if isinstance(status, int) else status(made)
        return Reply(code, made.model_dump_json(by_alias=True).encode())

    key = idempotency_key(request)
    reply = await dependencies.run(
        write_once,
        caller.tenant_id,
        write,
        actor=caller.actor,
        request=None if key is None else KeyedRequest(key, _digest(request, body)),
    )
    response = json_response(reply.body, reply.status)
    if reply.is_replayed:
        response.raw_headers.append(REPLAYED)
    return response


def _digest(request: Request, body: BaseModel | None) -> bytes:
    """Return a digest of method, path and body; spaces and the order of keys do not count."""
    sent = None if body is None else body.model_dump(mode="json", by_alias=True, exclude_unset=True)
    content = [request.method, request.url.path, sent]
    return hashlib.sha256(orjson.dumps(content, option=orjson.OPT_SORT_KEYS)).digest()
