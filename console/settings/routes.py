"""The page of a person's own settings, and of the event type."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Form
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from api.dependencies import CurrentDependencies
from console.access import Reviewer
from console.page_route import PageRoute
from console.rendering import LANGUAGE_COOKIE, render
from console.strings import LANGUAGES
from persistence.event_types import current_event_type
from scoring.transaction import PAYSIM
from web.invalid_fields import invalid_fields

router = APIRouter(include_in_schema=False, route_class=PageRoute)

_YEAR_S = 365 * 24 * 60 * 60


@router.get("/console/settings")
async def settings_page(
    request: Request, visitor: Reviewer, dependencies: CurrentDependencies
) -> Response:
    """Show the person's account, language and sessions, and the tenant's event type."""
    stored = await dependencies.run(current_event_type, visitor.tenant_id)
    event_type = stored.event_type if stored else PAYSIM
    return render(
        request, "settings/settings.html.j2", visitor, event_type=event_type, stored=stored
    )


@router.post("/console/settings/language")
async def choose_language(_visitor: Reviewer, language: Annotated[str, Form()]) -> Response:
    """Keep the language of the pages in this browser."""
    if language not in LANGUAGES:
        raise invalid_fields([(("language",), f"must be one of {', '.join(LANGUAGES)}")])
    response = RedirectResponse("/console/settings", HTTPStatus.SEE_OTHER)
    response.set_cookie(
        LANGUAGE_COOKIE, language, max_age=_YEAR_S, path="/console", httponly=True, samesite="lax"
    )
    return response
