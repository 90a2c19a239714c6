"""Errors as `application/problem+json` (RFC 9457): the only place that renders them."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from http import HTTPStatus
from typing import TYPE_CHECKING

import orjson
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response

from scoring.errors import FieldError, InvalidRequest, MalformedRequest, SentinelError

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

logger = logging.getLogger("sentinel.api")

MEDIA_TYPE = "application/problem+json"
MAX_LISTED_ERRORS = 100
"""A body with a million faults does not deserve a reply of a million lines."""


def problem(error: SentinelError) -> Response:
    """Render an error of the tree."""
    headers = {"WWW-Authenticate": "Bearer"} if error.status == HTTPStatus.UNAUTHORIZED else {}
    if error.status in {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}:
        headers["Retry-After"] = "1"
    body = _body(error.code, error.title, error.status, error.detail, error.errors)
    return Response(body, error.status, headers, MEDIA_TYPE)


def _body(
    code: str, title: str, status: int, detail: str, errors: tuple[FieldError, ...] = ()
) -> bytes:
    document: dict[str, object] = {
        "type": f"urn:sentinel:problem:{code}",
        "title": title,
        "status": status,
        "detail": detail,
    }
    if errors:
        document["errors"] = [
            {"field": e.field, "message": e.message} for e in errors[:MAX_LISTED_ERRORS]
        ]
    return orjson.dumps(document)


def invalid(error: ValidationError) -> InvalidRequest:
    """Turn pydantic's findings into ours: every field by its path, no input echoed."""
    found = error.errors(include_url=False, include_context=False, include_input=False)
    if found[0]["type"] == "json_invalid":
        return MalformedRequest(f"{found[0]['msg']}.")
    return named([(item["loc"], item["msg"]) for item in found])


def named(findings: Sequence[tuple[tuple[int | str, ...], str]]) -> InvalidRequest:
    """Return the error of findings: each a path and what its value must be."""
    errors = tuple(
        FieldError(".".join(map(str, path)) or "body", message) for path, message in findings
    )
    fields = ", ".join(dict.fromkeys(e.field for e in errors[:5]))
    more = f" and {len(errors) - 5} more" if len(errors) > 5 else ""
    return InvalidRequest(f"Not valid: {fields}{more}.", errors=errors)


async def problem_reply(_: Request, error: Exception) -> Response:
    """Render an error of the tree (FastAPI's exception handler)."""
    assert isinstance(error, SentinelError)  # noqa: S101 - it is registered for no other
    return problem(error)


async def invalid_parameters_reply(_: Request, error: Exception) -> Response:
    """Render FastAPI's findings: each parameter by its name, with the first rule it breaks."""
    assert isinstance(error, RequestValidationError)  # noqa: S101 - it is registered for no other
    # A parameter that may be absent is a union, whose every branch has a finding.
    first = {found["loc"][1]: found["msg"] for found in reversed(error.errors())}
    return problem(named([((name,), message) for name, message in reversed(first.items())]))


_DETAILS = {
    404: ("not-found", "There is no such route; /docs lists them."),
    405: ("method-not-allowed", "The route does not take this method; /docs says which."),
    429: ("overloaded", "Too many requests are in flight; try again shortly."),
    504: (
        "too-slow",
        "No answer in time. Repeat a score with the same external_id to learn it.",
    ),
}


def problem_of_status(status: int, allow: str | None = None) -> Response:
    """Render what ends a request outside of its route: by its status alone.

    Args:
        status: 404, 405, 429, 504, or any other, which is a fault of ours.
        allow: the methods that the route takes, for a 405.
    """
    code, detail = _DETAILS.get(status, ("internal", "The details are in the log."))
    body = _body(code, HTTPStatus(status).phrase, status, detail)
    headers = {"Allow": allow} if allow else {}
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        headers["Retry-After"] = "1"
    return Response(body, status, headers, MEDIA_TYPE)


class ProblemBackstop:
    """Rewrites the errors that the server below words itself (404, 405, 429, 504) as problems.

    BentoML's own time-out, concurrency limit and router answer with bodies of their own.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything through but error bodies that are not problems yet (ASGI)."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = rewritten = False

        async def send_problem(message: Message) -> None:
            nonlocal begun, rewritten
            if message["type"] == "http.response.start" and message["status"] >= 400:
                told = Headers(raw=message["headers"])
                if told.get("content-type", "") != MEDIA_TYPE:
                    rewritten = True
                    reply = problem_of_status(message["status"], told.get("allow"))
                    await reply(scope, receive, send)
            begun = True
            if not rewritten:
                await send(message)

        try:
            await self._app(scope, receive, send_problem)
        except Exception:
            # A body that breaks off has to look like one: the server closes the connection.
            if begun and not rewritten:
                raise
            logger.exception("%s failed", scope["path"])
            if not begun:
                await problem_of_status(500)(scope, receive, send)
