"""Parts of the OpenAPI document that routes share: replies with examples, problems, links."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scoring.errors import (
    IdempotencyMismatch,
    InUse,
    MalformedRequest,
    NoModel,
    NotStorable,
    PolicyChanged,
    ProposalDecided,
    ProposalWaits,
    SecondPersonNeeded,
    SentinelError,
)
from web.problem_types import NOT_READY, PROBLEM_TYPES, ProblemType, type_uri
from web.problems import MEDIA_TYPE
from web.schemas import Problem

WITH_BODY = (413, 415)
"""Error statuses of every route that takes a body."""
ANYWHERE = (401, 403, 422, 429, 500, 503, 504)
"""Error statuses of every route that takes a key."""
SCORING = (IdempotencyMismatch, NoModel, NotStorable)
"""Errors of the routes that decide and store."""

_NAMED = {
    NOT_READY,
    *map(ProblemType.of, (IdempotencyMismatch, InUse, MalformedRequest, NoModel, NotStorable)),
    *map(ProblemType.of, (SecondPersonNeeded, PolicyChanged, ProposalWaits, ProposalDecided)),
}
"""Types that share a status with a more general one: a route names those that it can reply with."""
_BODY_STATUS = 413
"""Status that every route with a body has."""
_DETAILS = {
    "unauthenticated": "The API key is unknown, revoked or expired.",
    "forbidden": "This needs a key with the scope review.",
    "not-found": "There is no transaction 01a2097e-2bcb-7929-a0f1-1f1628ac89bd.",
    "in-flight": "The first request with this external_id is being decided.",
    "in-use": "Rule 12 (large transfers) reads the list watched; set it off first.",
    "second-person-needed": "ruth is who proposed it, so somebody else has to approve it.",
    "policy-changed": "jane put another policy in force after proposal 3 was made, so it was not"
    " approved. Propose it again on the policy in force.",
    "proposal-waits": "Proposal 3 of ruth waits for a second person; it has to be approved or"
    " refused first.",
    "proposal-decided": "Proposal 3 was refused by jane already.",
    "unsupported-media": "Content-Encoding is gzip; send the body uncompressed.",
    "too-large": "The body is larger than 65536 bytes; send a smaller one.",
    "invalid-request": "Not valid: amount.",
    "malformed-json": "Invalid JSON: EOF while parsing an object at line 1 column 1.",
    "idempotency-mismatch": "The external_id was used with another body.",
    "overloaded": "Too many requests are in flight; try again shortly.",
    "internal": "The details are in the log.",
    "not-storable": "Postgres refuses the batch; nothing was stored.",
    "no-production-model": "No model version is in production for this tenant; promote one.",
    "store-unavailable": "Postgres cannot be reached; try again shortly.",
    "too-slow": "No answer in time. Repeat a score with the same external_id to learn it.",
    "not-ready": "No tenant has a model version in production.",
}
_ERRORS = {
    "invalid-request": [
        {"field": "amount", "message": "Input should be greater than or equal to 0"}
    ]
}


def reply(*, description: str = "done", **examples: object) -> dict[str, Any]:
    """Return the part of a reply's documentation that FastAPI does not generate.

    Args:
        description: what the reply means.
        examples: replies, by a name that says what they show.
    """
    return {
        "description": description,
        "content": {"application/json": {"examples": named_examples(examples)}},
    }


def named_examples(examples: Mapping[str, Any]) -> dict[str, Any]:
    """Return OpenAPI's examples of values by name."""
    return {
        name: {"summary": name.replace("_", " "), "value": value}
        for name, value in examples.items()
    }


def problems(*kinds: int | type[SentinelError]) -> dict[int | str, dict[str, Any]]:
    """Return the responses of error statuses, with each type of problem that they can have.

    Args:
        kinds: statuses; errors whose type shares its status with a more general one.
    """
    statuses = {kind for kind in kinds if isinstance(kind, int)}
    named = {ProblemType.of(kind) for kind in kinds if not isinstance(kind, int)}
    if _BODY_STATUS in statuses:
        named.add(ProblemType.of(MalformedRequest))
    found = [
        kind
        for kind in PROBLEM_TYPES
        if kind in named or (kind.status in statuses and kind not in _NAMED)
    ]
    return {
        status: problem(*(kind for kind in found if kind.status == status))
        for status in sorted({kind.status for kind in found})
    }


def problem(*kinds: ProblemType, schema: str = Problem.__name__) -> dict[str, Any]:
    """Return the response of a status with one or more types of problem.

    Args:
        kinds: types with the same status.
        schema: name of the body's schema.
    """
    lines = [f"`{kind.code}`: {kind.title}. Retry: {kind.retry}." for kind in kinds]
    return {
        "description": "\n\n".join(lines),
        "content": {
            MEDIA_TYPE: {
                "schema": {"$ref": f"#/components/schemas/{schema}"},
                "examples": {
                    kind.code: {"summary": kind.title, "value": problem_example(kind)}
                    for kind in kinds
                },
            }
        },
    }


def problem_example(kind: ProblemType) -> dict[str, Any]:
    """Return a problem of a type."""
    example: dict[str, Any] = {
        "type": type_uri(kind.code),
        "title": kind.title,
        "status": kind.status,
        "detail": _DETAILS.get(kind.code, f"{kind.title}."),
    }
    if kind.code in _ERRORS:
        example["errors"] = _ERRORS[kind.code]
    return example


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
