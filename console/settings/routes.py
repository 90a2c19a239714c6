"""The page of a person's own settings, and of the event type."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Form
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from api.dependencies import CurrentDependencies
from console.access import Reviewer
from console.event_types import in_force
from console.page_route import PageRoute
from console.rendering import LANGUAGE_COOKIE, render
from console.strings import LANGUAGES
from persistence.event_types import current_event_type
from persistence.history.retention import KEPT_US
from persistence.monitoring.oldest import read_oldest
from persistence.people.links import VALID
from persistence.people.sessions import IDLE, LONGEST
from persistence.review.assignments import CLAIM
from scoring.windows.definition import DAY_US
from web.invalid_fields import invalid_fields

router = APIRouter(include_in_schema=False, route_class=PageRoute)

_YEAR_S = 365 * 24 * 60 * 60


@router.get("/console/settings")
async def settings_page(
    request: Request, visitor: Reviewer, dependencies: CurrentDependencies
) -> Response:
    """Show account, language and sessions, the event type, and what is kept how long."""
    stored = await dependencies.run(current_event_type, visitor.tenant_id)
    return render(
        request,
        "settings/settings.html.j2",
        visitor,
        event_type=in_force(stored),
        stored=stored,
        oldest=await dependencies.run(read_oldest, visitor.tenant_id),
        kept_days=KEPT_US // DAY_US,
        minutes=[int(one.total_seconds()) // 60 for one in (IDLE, CLAIM)],
        hours=[int(one.total_seconds()) // 3600 for one in (LONGEST, VALID)],
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
