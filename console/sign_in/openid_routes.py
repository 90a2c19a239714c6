"""Sign-in at an OpenID Connect provider: to it, and back."""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from http import HTTPStatus
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from api.dependencies import ApiDependencies, CurrentDependencies
from console.access import is_secure, set_session
from console.page_route import HOME, PageRoute, local_path
from persistence.people.sessions import sign_in_as
from scoring.errors import NotFound
from web.openid import IdentityRefused, OpenIdProvider, SignInAttempt, new_attempt

router = APIRouter(include_in_schema=False, route_class=PageRoute)

PATH = "/console/openid"
_COOKIE = "sentinel_openid"
_SECONDS = 600
"""Time to sign in at the provider."""


@router.get(PATH)
async def go_to_provider(
    request: Request,
    dependencies: CurrentDependencies,
    organisation: Annotated[str, Query(max_length=100)] = "",
    next_path: Annotated[str, Query(alias="next")] = HOME,
) -> Response:
    """Send the browser to the provider; a cookie keeps what has to be the same afterwards."""
    provider, attempt = _provider(dependencies), new_attempt()
    redirect_uri = _redirect_uri(request, dependencies)
    url = await dependencies.ask_provider(provider.authorization_url, redirect_uri, attempt)
    kept = attempt.document() | {"organisation": organisation, "next": local_path(next_path)}
    response = RedirectResponse(url, HTTPStatus.SEE_OTHER)
    response.set_cookie(
        _COOKIE,
        urlsafe_b64encode(orjson.dumps(kept)).decode(),
        max_age=_SECONDS,
        path=PATH,
        secure=is_secure(request),
        httponly=True,
        samesite="lax",
    )
    return response


@router.get(f"{PATH}/back")
async def come_back(
    request: Request,
    dependencies: CurrentDependencies,
    state: str = "",
    code: str = "",
    error: str = "",
) -> Response:
    """Begin a session of the person that the provider has identified."""
    provider, kept = _provider(dependencies), _kept(request)
    attempt = SignInAttempt(kept["state"], kept["nonce"], kept["verifier"])
    if not hmac.compare_digest(state.encode(), attempt.state.encode()):
        raise IdentityRefused("The sign-in was begun in another browser: begin it again.")
    if error or not code:
        raise IdentityRefused(f"The provider did not sign you in: {error or 'it sent no code'}.")
    redirect_uri = _redirect_uri(request, dependencies)
    email = await dependencies.ask_provider(provider.verified_email, redirect_uri, code, attempt)
    token = await dependencies.run(sign_in_as, kept["organisation"], email)
    response = RedirectResponse(local_path(kept["next"]), HTTPStatus.SEE_OTHER)
    set_session(request, response, token)
    response.delete_cookie(_COOKIE, path=PATH)
    return response


def _provider(dependencies: ApiDependencies) -> OpenIdProvider:
    if dependencies.openid is None:
        raise NotFound("People sign in with passwords here.")
    return dependencies.openid


def _redirect_uri(request: Request, dependencies: ApiDependencies) -> str:
    base = dependencies.public_url or str(request.base_url)
    return f"{base.rstrip('/')}{PATH}/back"


def _kept(request: Request) -> dict[str, Any]:
    """Return what the cookie has kept.

    Raises:
        IdentityRefused: there is no such cookie, or it cannot be read.
    """
    try:
        kept = orjson.loads(urlsafe_b64decode(request.cookies[_COOKIE]))
        return {
            name: str(kept[name]) for name in ("state", "nonce", "verifier", "organisation", "next")
        }
    except (KeyError, ValueError, TypeError) as error:
        raise IdentityRefused("The sign-in took too long: begin it again.") from error
