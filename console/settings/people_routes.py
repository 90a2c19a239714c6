"""The page of a tenant's people, for administrators."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Annotated, Literal

from fastapi import APIRouter, Form
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from api.dependencies import ApiDependencies, CurrentDependencies
from console.access import Admin, Visitor
from console.page_route import PageRoute
from console.rendering import render
from console.shown_once import forget_shown, redirect_to_show, values_to_show
from persistence.people import users
from persistence.people.four_eyes import asks_for_four_eyes
from persistence.people.links import create_link
from persistence.people.users import ROLES, User
from scoring.errors import Forbidden, InvalidRequest

router = APIRouter(include_in_schema=False, route_class=PageRoute)

PATH = "/console/settings/people"
Done = Literal["role", "disabled", "enabled"]
"""What was just done; keys under `settings.done`."""


@router.get(PATH)
async def people_page(
    request: Request,
    visitor: Admin,
    dependencies: CurrentDependencies,
    done: Done | None = None,
) -> Response:
    """Show the people of the tenant with their roles, and once the link that was just made."""
    shown = values_to_show(request, visitor)
    page = await _page(
        request, visitor, dependencies, done=done, link=shown.get("link"), invited=shown.get("name")
    )
    return forget_shown(request, page, PATH)


@router.post(PATH)
async def add(
    request: Request,
    visitor: Admin,
    dependencies: CurrentDependencies,
    email: Annotated[str, Form()] = "",
    name: Annotated[str, Form()] = "",
    role: Annotated[str, Form()] = "",
) -> Response:
    """Add a person; the page shows the link with which they choose a password, this once."""
    if role == "admin":
        await _refuse_second_self(visitor, dependencies)
    try:
        user = await dependencies.run(
            users.create_user,
            visitor.tenant_id,
            email=email,
            name=name.strip(),
            role=role,
            actor=visitor.actor,
        )
    except InvalidRequest as error:
        typed = {"email": email, "name": name, "role": role}
        return await _page(request, visitor, dependencies, error=error, typed=typed)
    return await _with_link(request, visitor, dependencies, user)


@router.post(f"{PATH}/link")
async def new_link(
    request: Request,
    visitor: Admin,
    dependencies: CurrentDependencies,
    email: Annotated[str, Form()],
) -> Response:
    """Make a link with which a person chooses another password; the page shows it this once."""
    user = await dependencies.run(users.find_user, visitor.tenant_id, email)
    if user.role == "admin" and user.id != visitor.signed_in.user.id:
        await _refuse_second_self(visitor, dependencies)
    return await _with_link(request, visitor, dependencies, user)


@router.post(f"{PATH}/role")
async def change_role(
    request: Request,
    visitor: Admin,
    dependencies: CurrentDependencies,
    email: Annotated[str, Form()],
    role: Annotated[str, Form()],
) -> Response:
    """Give another person another role."""
    _refuse_oneself(visitor, email)
    if role == "admin":
        await _refuse_second_self(visitor, dependencies)
    return await _change(
        request,
        visitor,
        dependencies,
        lambda engine: users.change_role(
            engine, visitor.tenant_id, email, role, actor=visitor.actor
        ),
        "role",
    )


@router.post(f"{PATH}/disable")
async def disable(
    request: Request,
    visitor: Admin,
    dependencies: CurrentDependencies,
    email: Annotated[str, Form()],
) -> Response:
    """Disable another person's account and end its sessions."""
    _refuse_oneself(visitor, email)
    return await _change(
        request,
        visitor,
        dependencies,
        lambda engine: users.disable_user(engine, visitor.tenant_id, email, actor=visitor.actor),
        "disabled",
    )


@router.post(f"{PATH}/enable")
async def enable(
    request: Request,
    visitor: Admin,
    dependencies: CurrentDependencies,
    email: Annotated[str, Form()],
) -> Response:
    """Put a disabled account into use again."""
    return await _change(
        request,
        visitor,
        dependencies,
        lambda engine: users.enable_user(engine, visitor.tenant_id, email, actor=visitor.actor),
        "enabled",
    )


def _refuse_oneself(visitor: Visitor, email: str) -> None:
    """Refuse that administrators change their own role or account: another one does it."""
    if email.strip().lower() == visitor.signed_in.user.email:
        raise Forbidden("Nobody changes their own role or account; ask another administrator.")


async def _refuse_second_self(visitor: Visitor, dependencies: ApiDependencies) -> None:
    """Refuse to make an account that could approve what this administrator proposes.

    Whoever gives a link may use it. So where two people have to agree, one administrator neither
    gives another one a link, nor makes an administrator of somebody whose link they gave before.

    Raises:
        Forbidden: the tenant asks for four eyes.
    """
    if await dependencies.run(asks_for_four_eyes, visitor.tenant_id):
        raise Forbidden(
            "Two people have to agree here, so nobody gives another administrator a link, or makes"
            " somebody an administrator, in the console. An operator does it with"
            " `sentinel users reset`, `create` and `role`."
        )


async def _change(
    request: Request,
    visitor: Visitor,
    dependencies: ApiDependencies,
    change: Callable[..., User],
    done: Done,
) -> Response:
    try:
        await dependencies.run(change)
    except InvalidRequest as error:
        return await _page(request, visitor, dependencies, error=error)
    return RedirectResponse(f"{PATH}?done={done}", HTTPStatus.SEE_OTHER)


async def _with_link(
    request: Request, visitor: Visitor, dependencies: ApiDependencies, user: User
) -> Response:
    token = await dependencies.run(create_link, user, "password", actor=visitor.actor)
    address = dependencies.public_url or str(request.base_url)
    link = f"{address.rstrip('/')}/console/links/{token}"
    return redirect_to_show(request, visitor, PATH, {"link": link, "name": user.name})


async def _page(
    request: Request,
    visitor: Visitor,
    dependencies: ApiDependencies,
    *,
    error: InvalidRequest | None = None,
    typed: dict[str, str] | None = None,
    done: Done | None = None,
    link: str | None = None,
    invited: str | None = None,
) -> Response:
    people = await dependencies.run(users.list_users, visitor.tenant_id)
    return render(
        request,
        "settings/people.html.j2",
        visitor,
        status=error.status if error else HTTPStatus.OK,
        people=people,
        roles=ROLES,
        error=error,
        typed=typed or {},
        done=done,
        link=link,
        invited=invited,
    )
