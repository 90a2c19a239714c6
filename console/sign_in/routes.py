"""The pages without a session: sign in, choose a password, use a one-time link; and sign out."""

from __future__ import annotations

import logging
from http import HTTPStatus
from math import ceil
from typing import Annotated

import anyio
from fastapi import APIRouter, Form, Query
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from api.dependencies import (
    FAILED_SIGN_INS_S,
    MAX_FAILED_SIGN_INS,
    ApiDependencies,
    CurrentDependencies,
)
from console.access import (
    Reviewer,
    check_not_forged,
    clear_session,
    current_visitor,
    set_session,
)
from console.page_route import HOME, SIGN_IN, PageRoute, local_path
from console.rendering import render
from persistence.people.links import Link, read_link, use_link
from persistence.people.sessions import SignInRefused, sign_in, sign_out
from scoring.errors import InvalidRequest
from web.client_address import client_network

router = APIRouter(include_in_schema=False, route_class=PageRoute)

logger = logging.getLogger("sentinel.console")

ORGANISATION_COOKIE = "sentinel_organisation"
REFUSED_EVERY_S = 0.25
"""A refusal is sent a whole multiple of this after the request: what differs between an account
that exists and one that does not is far below it, and holds no connection while it waits."""
_NETWORK_REFUSED = (
    f"There were too many attempts from your network: after {MAX_FAILED_SIGN_INS} that failed, none"
    f" from there is accepted until {FAILED_SIGN_INS_S // 60:.0f} minutes have passed since the"
    " first. The account is not locked; whoever runs Sentinel sees the network in the log."
)
_YEAR_S = 365 * 24 * 60 * 60


@router.get("/console/sign-in")
async def sign_in_page(
    request: Request,
    dependencies: CurrentDependencies,
    organisation: str = "",
    next_path: Annotated[str, Query(alias="next")] = HOME,
) -> Response:
    """Show the form; whoever is signed in goes on."""
    if await current_visitor(request, dependencies) is not None:
        return RedirectResponse(local_path(next_path), HTTPStatus.SEE_OTHER)
    known = organisation or request.cookies.get(ORGANISATION_COOKIE, "")
    return _form(
        request, dependencies, organisation=known, email="", next_path=local_path(next_path)
    )


@router.post("/console/sign-in")
async def begin_session(
    request: Request,
    dependencies: CurrentDependencies,
    organisation: Annotated[str, Form(max_length=100)] = "",
    email: Annotated[str, Form(max_length=256)] = "",
    password: Annotated[str, Form(max_length=1024)] = "",
    next_path: Annotated[str, Form(alias="next")] = HOME,
) -> Response:
    """Begin a session, or show the form again with what was wrong."""
    await check_not_forged(request, None)
    target, began_at = local_path(next_path), anyio.current_time()
    try:
        token = await _sign_in(request, dependencies, organisation, email, password)
    except SignInRefused as refusal:
        took = anyio.current_time() - began_at
        await anyio.sleep_until(began_at + ceil(took / REFUSED_EVERY_S) * REFUSED_EVERY_S)
        return _form(
            request,
            dependencies,
            organisation=organisation,
            email=email,
            next_path=target,
            error=refusal.detail,
            status=refusal.status,
        )
    # The session of the cookie that was sent, if it is valid, ends: none outlives a sign-in.
    if (before := await current_visitor(request, dependencies)) is not None:
        await dependencies.run(sign_out, before.token, before.signed_in)
    response = RedirectResponse(target, HTTPStatus.SEE_OTHER)
    set_session(request, response, token)
    response.set_cookie(
        ORGANISATION_COOKIE,
        organisation.strip().lower(),
        max_age=_YEAR_S,
        path=SIGN_IN,
        httponly=True,
        samesite="lax",
    )
    return response


@router.get("/console/links/{token}")
async def link_page(request: Request, dependencies: CurrentDependencies, token: str) -> Response:
    """Show what a one-time link is for; a program that looks at links does not use it up."""
    link = await dependencies.run(read_link, token)
    return _link_form(request, link, token)


@router.post("/console/links/{token}")
async def follow_link(
    request: Request,
    dependencies: CurrentDependencies,
    token: str,
    password: Annotated[str, Form(max_length=1024)] = "",
    again: Annotated[str, Form(max_length=1024)] = "",
) -> Response:
    """Use a one-time link: begin a session, with the password that the person chose."""
    await check_not_forged(request, None)
    link = await dependencies.run(read_link, token)
    if link.purpose == "password" and password != again:
        return _link_form(request, link, token, problem="link.differ")
    try:
        session = await dependencies.run_hashing(use_link, token, password)
    except InvalidRequest as error:
        return _link_form(request, link, token, error=error.detail)
    response = RedirectResponse(HOME, HTTPStatus.SEE_OTHER)
    set_session(request, response, session)
    return response


@router.post("/console/sign-out")
async def end_session(
    request: Request,
    visitor: Reviewer,
    dependencies: CurrentDependencies,
    everywhere: Annotated[bool, Form()] = False,
) -> Response:
    """End this session, or every session of the person."""
    await dependencies.run(sign_out, visitor.token, visitor.signed_in, everywhere=everywhere)
    response = RedirectResponse(SIGN_IN, HTTPStatus.SEE_OTHER)
    clear_session(request, response)
    return response


async def _sign_in(
    request: Request, dependencies: ApiDependencies, organisation: str, email: str, password: str
) -> str:
    """Return the token of a new session; an address with too many failures gets none."""
    address = None
    if dependencies.proxies is not None:
        address = client_network(request, dependencies.proxies)
    failed = dependencies.failed_sign_ins
    if address is not None and failed.is_reached(address):
        raise SignInRefused(_NETWORK_REFUSED)
    try:
        return await dependencies.run_hashing(sign_in, organisation, email, password)
    except SignInRefused:
        if address is not None:
            failed.add(address)
            if failed.is_reached(address):
                logger.warning(
                    "no sign-in from %s is accepted: %d failed within %d minutes",
                    address,
                    MAX_FAILED_SIGN_INS,
                    int(FAILED_SIGN_INS_S // 60),
                )
        raise


def _form(
    request: Request,
    dependencies: ApiDependencies,
    *,
    organisation: str,
    email: str,
    next_path: str,
    error: str | None = None,
    status: int = 200,
) -> Response:
    return render(
        request,
        "sign_in/sign_in.html.j2",
        None,
        status=status,
        organisation=organisation,
        email=email,
        next_path=next_path,
        error=error,
        provider=dependencies.openid,
    )


def _link_form(
    request: Request,
    link: Link,
    token: str,
    *,
    error: str | None = None,
    problem: str | None = None,
) -> Response:
    return render(
        request,
        "sign_in/link.html.j2",
        None,
        status=HTTPStatus.UNPROCESSABLE_ENTITY if error or problem else HTTPStatus.OK,
        link=link,
        token=token,
        error=error,
        problem=problem,
    )
