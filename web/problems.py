"""Errors as `application/problem+json` (RFC 9457): the only place that translates them."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import orjson
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import Response

from scoring.errors import (
    FieldError,
    InvalidRequest,
    MalformedRequest,
    RateLimited,
    SentinelError,
)
from web.invalid_fields import invalid_fields
from web.problem_types import RETRY_AFTER_S, RETRY_STATUSES, type_uri

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

logger = logging.getLogger("sentinel.api")

MEDIA_TYPE = "application/problem+json"
_PAGES = "/console"
"""Beginning of the paths whose errors are pages."""
MAX_LISTED_ERRORS = 100
"""A body with a million faults does not deserve a reply of a million lines."""

_BY_STATUS = {
    404: ("not-found", "There is no such route; /docs lists them."),
    405: ("method-not-allowed", "The route does not take this method; /docs says which."),
    429: ("overloaded", "Too many requests are in flight; try again shortly."),
    504: (
        "too-slow",
        "No answer in time. Repeat a score with the same external_id to learn it.",
    ),
}
"""Code and detail of the statuses that have no SentinelError; any other is a fault of ours."""


def problem_response(error: Exception) -> Response:
    """Return the response to a request that ended with an error.

    Args:
        error: a SentinelError; FastAPI's finding that path or query parameters are not valid; an
            HTTPException, whose status and headers count; any other is a fault of ours (500).
    """
    if isinstance(error, RequestValidationError):
        error = invalid_parameters(error)
    if isinstance(error, SentinelError):
        headers = {"WWW-Authenticate": "Bearer"} if error.status == HTTPStatus.UNAUTHORIZED else {}
        if error.status in RETRY_STATUSES:
            headers["Retry-After"] = str(RETRY_AFTER_S)
            if isinstance(error, RateLimited):
                headers |= error.headers
        elif error.status == HTTPStatus.UNSUPPORTED_MEDIA_TYPE:
            headers["Accept-Encoding"] = "identity"
        body = _body(error.code, error.title, error.status, error.detail, error.errors)
        return Response(body, error.status, headers, MEDIA_TYPE)
    if not isinstance(error, HTTPException):
        error = HTTPException(HTTPStatus.INTERNAL_SERVER_ERROR)
    status = error.status_code
    code, detail = _BY_STATUS.get(status, ("internal", "The details are in the log."))
    headers = dict(error.headers or {})
    if status == HTTPStatus.METHOD_NOT_ALLOWED and "Allow" in headers:
        detail = _not_allowed(headers["Allow"])
    if status in RETRY_STATUSES:
        headers["Retry-After"] = str(RETRY_AFTER_S)
    return Response(
        _body(code, HTTPStatus(status).phrase, status, detail), status, headers, MEDIA_TYPE
    )


async def handle_error(_: Request, error: Exception) -> Response:
    """Reply to a request whose route raised an error (an exception handler of FastAPI)."""
    return problem_response(error)


def invalid_body(error: ValidationError) -> InvalidRequest:
    """Return the error of a body that its schema refuses: every field by its path, no input.

    The reader of a body calls this: anywhere else a ValidationError is a fault of ours.
    """
    found = error.errors(include_url=False, include_context=False, include_input=False)
    if found[0]["type"] == "json_invalid":
        return MalformedRequest(f"{found[0]['msg']}.")
    return invalid_fields([(item["loc"], _message(item)) for item in found])


def _not_allowed(allow: str) -> str:
    """Return the detail of a 405 from the names of the methods that the route takes."""
    *others, last = sorted(allow.split(", "))
    names = f"{', '.join(others)} and {last}" if others else last
    return f"The route does not take this method; it takes {names}."


def invalid_parameters(error: RequestValidationError) -> InvalidRequest:
    """Return the error of FastAPI's findings: each parameter by its name, with its first finding.

    A parameter that may be absent is a union, whose every branch has a finding.
    """
    first = {found["loc"][1]: _message(found) for found in reversed(error.errors())}
    return invalid_fields([((name,), message) for name, message in reversed(first.items())])


def _message(found: Mapping[str, Any]) -> str:
    """Return what a finding says; before a sentence of our own validators Pydantic puts words."""
    message = str(found["msg"])
    return message.removeprefix("Value error, ") if found["type"] == "value_error" else message


def _body(
    code: str, title: str, status: int, detail: str, errors: tuple[FieldError, ...] = ()
) -> bytes:
    document: dict[str, object] = {
        "type": type_uri(code),
        "title": title,
        "status": status,
        "detail": detail,
    }
    if errors:
        document["errors"] = [
            {"field": e.field, "message": e.message} for e in errors[:MAX_LISTED_ERRORS]
        ]
    return orjson.dumps(document)


class ProblemBackstop:
    """Rewrites error replies that are not problems (404, 405, 429, 504) as problems.

    The time-out, the concurrency limit and the router of BentoML reply with bodies of their own.

    Args:
        app: ASGI application whose replies are rewritten.
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
                headers = Headers(raw=message["headers"])
                is_page = headers.get("content-type", "").startswith("text/html")
                is_ours = is_page and scope["path"].startswith(_PAGES)
                if headers.get("content-type", "") != MEDIA_TYPE and not is_ours:
                    rewritten = True
                    allow = {"Allow": headers["allow"]} if headers.get("allow") else None
                    error = HTTPException(message["status"], headers=allow)
                    await problem_response(error)(scope, receive, send)
            begun = True
            if not rewritten:
                await send(message)

        try:
            await self._app(scope, receive, send_problem)
        except Exception as error:
            # A body that breaks off has to look like one: the server closes the connection.
            if begun and not rewritten:
                raise
            logger.exception("%s failed", scope["path"])
            if not begun:
                await problem_response(error)(scope, receive, send)
