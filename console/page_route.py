"""The route class of pages: an error becomes a page, and no sign-in leads to the sign-in page."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from console.access import SignInNeeded
from console.rendering import render
from scoring.errors import MalformedRequest, PayloadTooLarge, SentinelError, UnsupportedMedia
from web.body import is_utf_8
from web.problem_types import RETRY_AFTER_S, RETRY_STATUSES
from web.problems import invalid_parameters

if TYPE_CHECKING:
    from starlette.types import Message, Receive

SIGN_IN = "/console/sign-in"
HOME = "/console"
MAX_FORM_BYTES = 4 * 1024 * 1024
"""Largest form: one with a pasted list of entries."""


class PageRoute(APIRoute):
    """A route that answers with pages.

    Attributes:
        max_bytes: largest form that it takes.
        too_large: sentence of the error for a larger form.
    """

    max_bytes = MAX_FORM_BYTES
    too_large = f"The form has more than {MAX_FORM_BYTES:,} bytes."

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the route's handler, whose errors are pages."""
        handler = super().get_route_handler()

        async def handle(request: Request) -> Response:
            limited = Request(
                request.scope, _limited(request.receive, self.max_bytes, self.too_large)
            )
            try:
                _refuse_other_charset(request)
                return await handler(limited)
            except SignInNeeded:
                return _to_sign_in(request)
            except SentinelError as error:
                return error_page(limited, error)
            except RequestValidationError as error:
                return error_page(limited, invalid_parameters(error))
            except HTTPException as error:
                return error_page(limited, _unreadable(error))

        return handle


def error_page(request: Request, error: SentinelError) -> Response:
    """Return the page that says what went wrong, with the error's status."""
    headers = {"Retry-After": str(RETRY_AFTER_S)} if error.status in RETRY_STATUSES else {}
    visitor = getattr(request.state, "visitor", None)
    return render(
        request, "error.html.j2", visitor, status=error.status, headers=headers, error=error
    )


def local_path(path: str | None) -> str:
    """Return a path of the console to go to; the start page for anything else."""
    if path and (path == HOME or path.startswith((f"{HOME}/", f"{HOME}?"))) and "\\" not in path:
        return path
    return HOME


def _limited(receive: Receive, max_bytes: int, too_large: str) -> Receive:
    """Return a receiver of a body that raises PayloadTooLarge after `max_bytes`."""
    received = 0

    async def receive_part() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > max_bytes:
            raise PayloadTooLarge(too_large)
        return message

    return receive_part


def _refuse_other_charset(request: Request) -> None:
    """Refuse a form in a charset that no browser sends for these pages.

    Python has some, such as `unicode_escape`, that make text which UTF-8 cannot hold.

    Raises:
        UnsupportedMedia: the Content-Type names one.
    """
    if not is_utf_8(request.headers.get("content-type", "").encode("latin-1")):
        raise UnsupportedMedia("The form is in another charset; send it as UTF-8.")


def _unreadable(error: HTTPException) -> SentinelError:
    """Return the error of a form that FastAPI could not read."""
    if isinstance(error.__cause__, SentinelError):
        return error.__cause__
    return MalformedRequest(f"The form cannot be read: {error.detail}")


def _to_sign_in(request: Request) -> Response:
    """Lead to the sign-in, and from there back to the page; htmx needs a header to leave a page."""
    is_page = request.method in ("GET", "HEAD") and "hx-request" not in request.headers
    here = f"{request.url.path}?{request.url.query}" if request.url.query else request.url.path
    if not is_page:
        # The page that sent it, which the person sees.
        here = request.headers.get("hx-current-url", HOME)
        here = here[here.find(HOME) :] if HOME in here else HOME
    target = f"{SIGN_IN}?next={quote(local_path(here), safe='/')}"
    if "hx-request" in request.headers:
        return Response(status_code=HTTPStatus.UNAUTHORIZED, headers={"HX-Redirect": target})
    return RedirectResponse(target, HTTPStatus.SEE_OTHER)
