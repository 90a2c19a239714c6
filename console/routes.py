"""The console's pages: one router each, and the address `/console` itself."""

from __future__ import annotations

from http import HTTPStatus

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from console import assets
from console.access import Reviewer
from console.audit import routes as audit
from console.cases import case_routes, file_routes
from console.cases import routes as cases
from console.drift import routes as drift
from console.entity import routes as entity
from console.lists import entry_routes as list_entries
from console.lists import routes as lists
from console.models import routes as models
from console.navigation import NAVIGATION
from console.overview import routes as overview
from console.page_route import PageRoute, error_page
from console.palette import routes as palette
from console.queue import live_routes as queue_live
from console.queue import routes as queue
from console.rules import editor_routes as rule_editor
from console.rules import routes as rules
from console.rules import switch_routes as rule_switch
from console.search import routes as search
from console.settings import key_routes as keys
from console.settings import people_routes as people
from console.settings import routes as settings
from console.sign_in import openid_routes as openid
from console.sign_in import routes as sign_in
from console.threshold import proposal_routes as threshold_proposals
from console.threshold import routes as threshold
from console.transaction import routes as transaction
from console.uploads import file_routes as upload_files
from console.uploads import routes as uploads
from console.uploads import step_routes as upload_steps
from console.verdicts import routes as verdicts
from scoring.errors import NotFound

_start = APIRouter(include_in_schema=False, route_class=PageRoute)
_rest = APIRouter(include_in_schema=False, route_class=PageRoute)


@_start.get("/console")
async def start(_visitor: Reviewer) -> Response:
    """Lead to the first page of the navigation."""
    return RedirectResponse(NAVIGATION[0].path, HTTPStatus.SEE_OTHER)


@_rest.get("/console/{_path:path}")
async def no_page(request: Request, _path: str) -> Response:
    """Say that there is no such page."""
    return error_page(request, NotFound("There is no such page."))


ROUTERS = (
    assets.router,
    _start,
    sign_in.router,
    openid.router,
    queue.router,
    queue_live.router,
    verdicts.router,
    transaction.router,
    entity.router,
    lists.router,
    list_entries.router,
    rules.router,
    rule_editor.router,
    rule_switch.router,
    threshold.router,
    threshold_proposals.router,
    models.router,
    overview.router,
    search.router,
    audit.router,
    drift.router,
    cases.router,
    case_routes.router,
    file_routes.router,
    uploads.router,
    upload_steps.router,
    upload_files.router,
    settings.router,
    people.router,
    keys.router,
    palette.router,
    _rest,
)
"""Routers of the console; the last one answers what no other does."""
