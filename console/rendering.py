"""Pages from templates: what every template can use, and the headers of every page."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from jinja2.ext import Extension
from starlette.requests import Request
from starlette.responses import HTMLResponse

from console.access import Visitor
from console.assets import asset_url
from console.formats import Formats, utc_now
from console.navigation import NAVIGATION
from console.strings import LANGUAGES, preferred, translate

_INDENTATION = re.compile(r"^[ \t]+", re.MULTILINE)
LANGUAGE_COOKIE = "sentinel_language"
PAGE_HEADERS = {
    # Nothing inline and nothing from another host: what somebody smuggles into a page does not run.
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}
"""https://cheatsheetseries.owasp.org/cheatsheets/HTTP_Headers_Cheat_Sheet.html"""


def language_of(request: Request) -> str:
    """Return the language that a person chose, else the browser's."""
    chosen = request.cookies.get(LANGUAGE_COOKIE)
    return chosen if chosen in LANGUAGES else preferred(request.headers.get("accept-language"))


def formats_of(request: Request, visitor: Visitor | None) -> Formats:
    """Return how a person sees numbers and times on a page.

    Args:
        request: request that the page answers.
        visitor: who is signed in; None: nobody.
    """
    signed_in = visitor.signed_in if visitor else None
    return Formats(
        language_of(request),
        signed_in.currency if signed_in else None,
        signed_in.time_zone if signed_in else "UTC",
        utc_now(),
    )


def render(
    request: Request,
    template: str,
    visitor: Visitor | None,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    **values: Any,  # noqa: ANN401 - whatever the template shows
) -> HTMLResponse:
    """Return a page.

    Args:
        request: request that the page answers.
        template: path under `templates/`.
        visitor: who is signed in; None: nobody.
        status: status of the response.
        headers: headers beside those of every page.
        values: what the template shows.
    """
    language = language_of(request)
    text: Callable[..., str] = partial(translate, language)
    content = (
        _environment()
        .get_template(template)
        .render(
            request=request,
            visitor=visitor,
            language=language,
            languages=LANGUAGES,
            navigation=[entry for entry in NAVIGATION if visitor and visitor.may(entry.scope)],
            t=text,
            f=formats_of(request, visitor),
            **values,
        )
    )
    return HTMLResponse(content, status, {**PAGE_HEADERS, **(headers or {})})


class _WithoutIndentation(Extension):
    """Leaves the indentation of the templates out of the pages."""

    def preprocess(self, source: str, name: str | None, filename: str | None = None) -> str:  # noqa: ARG002
        """Return the source of a template without the blanks at the beginning of its lines."""
        return _INDENTATION.sub("", source)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        extensions=[_WithoutIndentation],
    )
    environment.globals["asset"] = asset_url
    return environment
