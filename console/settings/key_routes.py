"""The page of a tenant's API keys, for administrators."""

from __future__ import annotations

from datetime import timedelta
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Form
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from api.dependencies import ApiDependencies, CurrentDependencies
from console.access import Admin, Visitor
from console.formats import utc_now
from console.page_route import PageRoute
from console.rendering import render
from console.shown_once import forget_shown, redirect_to_show, values_to_show
from persistence.api_keys import SCOPES, list_keys, revoke_key
from persistence.key_names import KEY_START
from persistence.tenants import limits_of
from scoring.errors import InvalidRequest
from web.invalid_fields import invalid_fields

router = APIRouter(include_in_schema=False, route_class=PageRoute)

PATH = "/console/settings/keys"
VALID_DAYS = ("30", "90", "365", "never")


@router.get(PATH)
async def keys_page(
    request: Request, visitor: Admin, dependencies: CurrentDependencies
) -> Response:
    """Show the API keys of the tenant, and once the one that was just issued."""
    key = values_to_show(request, visitor).get("key")
    page = await _page(request, visitor, dependencies, key=key)
    return forget_shown(request, page, PATH)


@router.post(PATH)
async def issue(
    request: Request,
    visitor: Admin,
    dependencies: CurrentDependencies,
    name: Annotated[str, Form()] = "",
    scopes: Annotated[tuple[str, ...], Form()] = (),
    days: Annotated[str, Form()] = "90",
) -> Response:
    """Issue a key, which the page shows this once."""
    try:
        if days not in VALID_DAYS:
            raise invalid_fields([(("days",), f"must be one of {', '.join(VALID_DAYS)}")])
        expires_at = None if days == "never" else utc_now() + timedelta(days=int(days))
        key = await dependencies.run(
            dependencies.key_issuer.issue,
            visitor.tenant_id,
            scopes,
            expires_at,
            name=name.strip(),
            actor=visitor.actor,
        )
    except InvalidRequest as error:
        typed: dict[str, object] = {"name": name, "scopes": scopes, "days": days}
        return await _page(request, visitor, dependencies, error=error, typed=typed)
    return redirect_to_show(request, visitor, PATH, {"key": key})


@router.post(f"{PATH}/{{prefix}}/revoke")
async def revoke(visitor: Admin, dependencies: CurrentDependencies, prefix: str) -> Response:
    """Revoke a key, which no request can use from then on."""
    await dependencies.run(
        revoke_key, visitor.tenant_id, f"{KEY_START}{prefix}", actor=visitor.actor
    )
    return RedirectResponse(PATH, HTTPStatus.SEE_OTHER)


async def _page(
    request: Request,
    visitor: Visitor,
    dependencies: ApiDependencies,
    *,
    error: InvalidRequest | None = None,
    typed: dict[str, object] | None = None,
    key: str | None = None,
) -> Response:
    keys = await dependencies.run(list_keys, visitor.tenant_id)
    limits = await dependencies.run(limits_of, visitor.tenant_id)
    return render(
        request,
        "settings/keys.html.j2",
        visitor,
        status=error.status if error else HTTPStatus.OK,
        keys=keys,
        limits=limits,
        scopes=SCOPES,
        valid_days=VALID_DAYS,
        error=error,
        typed=typed or {},
        key=key,
    )
