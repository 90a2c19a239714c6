"""Who looks at a page: the session of the cookie, the rights of a page, and forged requests."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Depends, Request
from starlette.responses import Response

from api.dependencies import ApiDependencies, CurrentDependencies
from persistence.actor import Actor
from persistence.people.sessions import LONGEST, SignedIn, find_session
from scoring.errors import Forbidden, Unauthenticated

COOKIE = "sentinel_session"
CSRF_FIELD = "csrf"
CSRF_HEADER = "x-csrf-token"
REFRESH_HEADER = "x-refresh"
"""Header of the requests that a page sends by itself; they keep no session alive."""
_SAFE = ("GET", "HEAD")


class SignInNeeded(Unauthenticated):
    """Nobody is signed in, or the session is over; the page leads to the sign-in."""


@dataclass(frozen=True, slots=True)
class Visitor:
    """A person who is signed in, as pages need them.

    Attributes:
        signed_in: account, tenant, and how the tenant writes money and times.
        token: token of the session's cookie.
    """

    signed_in: SignedIn
    token: str = field(repr=False)

    @property
    def tenant_id(self) -> int:
        """Tenant whose rows the person sees."""
        return self.signed_in.tenant_id

    @property
    def actor(self) -> Actor:
        """The person as the audit log names them."""
        return self.signed_in.actor

    @property
    def csrf(self) -> str:
        """Value that every form of this session carries, which no other site can know."""
        return csrf_token(self.token)

    def may(self, scope: str) -> bool:
        """Return whether the person's role has a scope."""
        return scope in self.signed_in.user.scopes


def csrf_token(token: str) -> str:
    """Return the CSRF token that belongs to a session's token.

    https://cheatsheetseries.owasp.org/cheatsheets/Cross-Site_Request_Forgery_Prevention_Cheat_Sheet.html
    """
    return hashlib.blake2b(token.encode(), digest_size=16, person=b"sentinel csrf").hexdigest()


async def check_not_forged(request: Request, token: str | None) -> None:
    """Refuse a writing request that another site made the browser send.

    Args:
        request: request of the browser.
        token: token of the session; None before the sign-in, where the origin alone is compared.

    Raises:
        Forbidden: it comes from another site, or lacks the session's CSRF token.
    """
    if request.method in _SAFE:
        return
    origin = request.headers.get("origin")
    if origin is not None and _host_of(origin) != request.headers.get("host"):
        raise Forbidden("The request comes from another site.")
    if token is None:
        return
    sent = request.headers.get(CSRF_HEADER) or str((await request.form()).get(CSRF_FIELD, ""))
    if not hmac.compare_digest(sent.encode(), csrf_token(token).encode()):
        raise Forbidden("The page is from another session. Reload it and try again.")


def _host_of(origin: str) -> str | None:
    """Return the host and port of an origin; None for a text that is none."""
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return None


async def current_visitor(request: Request, dependencies: ApiDependencies) -> Visitor | None:
    """Return who is signed in; None where nobody is."""
    token = request.cookies.get(COOKIE)
    if not token:
        return None
    is_active = REFRESH_HEADER not in request.headers
    signed_in = await dependencies.run(find_session, token, is_active=is_active)
    return Visitor(signed_in, token) if signed_in else None


def _visitor(scope: str) -> Callable[[Request, ApiDependencies], Awaitable[Visitor]]:
    async def require(request: Request, dependencies: CurrentDependencies) -> Visitor:
        visitor = await current_visitor(request, dependencies)
        if visitor is None:
            raise SignInNeeded("Sign in to see this page.")
        request.state.visitor = visitor
        await check_not_forged(request, visitor.token)
        if not visitor.may(scope):
            raise Forbidden(f"The role {visitor.signed_in.user.role} does not include this page.")
        return visitor

    return require


Reviewer = Annotated[Visitor, Depends(_visitor("review"))]
Scorer = Annotated[Visitor, Depends(_visitor("score"))]
Admin = Annotated[Visitor, Depends(_visitor("admin"))]


def set_session(request: Request, response: Response, token: str) -> None:
    """Put a session's token into the cookie."""
    response.set_cookie(
        COOKIE,
        token,
        max_age=int(LONGEST.total_seconds()),
        path="/",
        secure=is_secure(request),
        httponly=True,
        samesite="lax",
    )


def clear_session(request: Request, response: Response) -> None:
    """Remove the cookie."""
    response.delete_cookie(
        COOKIE, path="/", secure=is_secure(request), httponly=True, samesite="lax"
    )


def is_secure(request: Request) -> bool:
    """Return whether the cookie travels over TLS only: everywhere but on the machine itself."""
    host = request.url.hostname or ""
    if host == "localhost":
        return False
    try:
        return not ip_address(host).is_loopback
    except ValueError:
        return True
