"""Which of the paths without a tenant are open: the metrics, and the documentation of the API."""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException

from scoring.errors import Unauthenticated
from web.problems import problem_response

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

METRICS = "/metrics"
_DOCS = ("/", "/docs", "/openapi.json")
_ASSETS_OF_DOCS = "/static_content/"


@dataclass(slots=True)
class OpenPaths:
    """What is open; start-up sets it before the first request.

    Attributes:
        docs: whether the API's documentation is served.
        metrics: whether metrics are served.
        metrics_token: token that a scrape has to send; None: none.
    """

    docs: bool = True
    metrics: bool = True
    metrics_token: str | None = field(default=None, repr=False)

    def refusal(self, path: str, authorization: str | None) -> Exception | None:
        """Return the error of a request to a path that is closed to it; None: it is open.

        Args:
            path: path of the request.
            authorization: its Authorization header.
        """
        if path == METRICS:
            if not self.metrics:
                return HTTPException(HTTPStatus.NOT_FOUND)
            if self.metrics_token and not _has_token(authorization, self.metrics_token):
                return Unauthenticated(
                    "Send the token of the metrics: `Authorization: Bearer ...`."
                )
        elif not self.docs and (path in _DOCS or path.startswith(_ASSETS_OF_DOCS)):
            return HTTPException(HTTPStatus.NOT_FOUND)
        return None


def _has_token(authorization: str | None, token: str) -> bool:
    scheme, _, sent = (authorization or "").partition(" ")
    return scheme.lower() == "bearer" and hmac.compare_digest(sent.strip().encode(), token.encode())


class ClosedPaths:
    """Refuses requests to paths that are not open (ASGI middleware).

    Args:
        app: application that it wraps.
        open_paths: what is open.
    """

    def __init__(self, app: ASGIApp, open_paths: OpenPaths) -> None:
        self._app = app
        self._open_paths = open_paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] == "http":
            authorization = Headers(scope=scope).get("authorization")
            if error := self._open_paths.refusal(scope["path"], authorization):
                await problem_response(error)(scope, receive, send)
                return
        await self._app(scope, receive, send)
