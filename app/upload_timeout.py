"""The time-out of requests, with more time for a file that a person sends."""

from __future__ import annotations

from bentoml._internal.server.http.traffic import TimeoutMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

UPLOADS = "/console/uploads"
"""Path to which the console sends a file."""
UPLOAD_TIMEOUT_S = 90.0
"""Seconds for the largest file over a line of 2 Mbit/s. BentoML's time-out, of a reply to a
payment, would end it after 10."""


class UploadTimeout(TimeoutMiddleware):  # type: ignore[misc]  # BentoML has no types
    """BentoML's time-out, but UPLOAD_TIMEOUT_S where a file is sent.

    Args:
        app: ASGI application.
        timeout: seconds of every other request until its reply begins.
    """

    def __init__(self, app: ASGIApp, timeout: float) -> None:
        super().__init__(app, timeout)
        self._of_files = TimeoutMiddleware(app, UPLOAD_TIMEOUT_S)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on (ASGI)."""
        if scope["type"] == "http" and (scope["method"], scope["path"]) == ("POST", UPLOADS):
            await self._of_files(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)
