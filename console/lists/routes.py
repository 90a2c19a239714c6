"""The pages of lists: all of them, and one with its entries."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated, NamedTuple

from fastapi import APIRouter, Form, Query
from pydantic import ValidationError
from sqlalchemy import Engine
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from api.dependencies import ApiDependencies, CurrentDependencies
from api.lists.schemas import ListIn
from console.access import Admin, Reviewer, Visitor
from console.event_values import entity_path
from console.lists.entry_form import EXPIRIES, RowProblem
from console.page_route import PageRoute
from console.rendering import render
from persistence.review.cases import Page
from persistence.rules.checking import check_list
from persistence.rules.entries import StoredEntry, read_entries
from persistence.rules.lists import StoredList, create_list, remove_list, stored_lists
from persistence.rules.names import event_type_in_force
from persistence.tenancy import tenant_transaction
from scoring.errors import FieldError, InUse, InvalidRequest, NotFound, invalid_request
from scoring.event_type.fields import Field
from scoring.event_type.limits import MAX_ENTITY_LENGTH, NAME_RULE, is_event_type_name
from web.problems import invalid_body

router = APIRouter(include_in_schema=False, route_class=PageRoute)

PAGE_ENTRIES = 25
_MAX_ID = 2**63 - 1


class _Lists(NamedTuple):
    """Every list, and the fields that have entities."""

    lists: list[StoredList]
    fields: list[Field]


class _OneList(NamedTuple):
    """A list and a page of its entries."""

    found: StoredList
    page: Page[StoredEntry, int]


@router.get("/console/lists")
async def lists_page(
    request: Request, visitor: Reviewer, dependencies: CurrentDependencies, removed: str = ""
) -> Response:
    """Show every list."""
    return await _show_lists(request, visitor, dependencies, removed=removed)


@router.post("/console/lists")
async def make_list(
    request: Request,
    visitor: Admin,
    dependencies: CurrentDependencies,
    name: Annotated[str, Form()] = "",
    entity: Annotated[str, Form()] = "",
    action: Annotated[str, Form()] = "",
    fields: Annotated[list[str] | None, Form()] = None,
) -> Response:
    """Make a list without entries."""
    typed = {"name": name, "entity": entity, "action": action, "fields": fields or []}

    def make(engine: Engine) -> str:
        if not is_event_type_name(name.strip()):
            raise invalid_request([FieldError("name", NAME_RULE)])
        try:
            asked = ListIn.model_validate(
                {
                    "name": name.strip(),
                    "entity": entity,
                    "action": action or None,
                    "fields": fields or None,
                }
            )
        except ValidationError as error:
            raise invalid_body(error) from error
        with tenant_transaction(engine, visitor.tenant_id, actor=visitor.actor) as connection:
            check_list(connection, visitor.tenant_id, asked.entity, asked.action, asked.fields)
            made = create_list(
                connection,
                visitor.tenant_id,
                name=asked.name,
                entity=asked.entity,
                action=asked.action,
                fields=None if asked.fields is None else tuple(asked.fields),
                actor=visitor.actor,
            )
        return made.list.name

    try:
        made = await dependencies.run(make)
    except InvalidRequest as error:
        problems = {one.field.partition(".")[0]: one.message for one in error.errors}
        return await _show_lists(request, visitor, dependencies, problems=problems, typed=typed)
    await dependencies.refresh_settings(visitor.tenant_id)
    return RedirectResponse(f"/console/lists/{made}?done=made", HTTPStatus.SEE_OTHER)


@router.get("/console/lists/{name}")
async def list_page(
    request: Request,
    visitor: Reviewer,
    dependencies: CurrentDependencies,
    name: str,
    q: Annotated[str, Query(max_length=MAX_ENTITY_LENGTH)] = "",
    before: Annotated[int | None, Query(ge=1, le=_MAX_ID)] = None,
    done: str = "",
    added: Annotated[int, Query(ge=0, le=2**31 - 1)] = 0,
    replaced: Annotated[int, Query(ge=0, le=2**31 - 1)] = 0,
    value: Annotated[str, Query(max_length=MAX_ENTITY_LENGTH)] = "",
) -> Response:
    """Show a list with a page of its entries, or the entry of one entity."""
    last_change = {"what": done, "added": added, "replaced": replaced, "value": value}
    return await show_list(
        request, visitor, dependencies, name, q=q, before=before, last_change=last_change
    )


@router.post("/console/lists/{name}/remove")
async def take_list_out(
    request: Request, visitor: Admin, dependencies: CurrentDependencies, name: str
) -> Response:
    """Take a list and its entries out of force, unless a rule reads it."""

    def remove(engine: Engine) -> None:
        with tenant_transaction(engine, visitor.tenant_id, actor=visitor.actor) as connection:
            remove_list(connection, visitor.tenant_id, name)

    try:
        await dependencies.run(remove)
    except InUse as error:
        return await show_list(
            request, visitor, dependencies, name, problems={"list": error.detail}, status=409
        )
    await dependencies.refresh_settings(visitor.tenant_id)
    return RedirectResponse(f"/console/lists?removed={name}", HTTPStatus.SEE_OTHER)


async def show_list(
    request: Request,
    visitor: Visitor,
    dependencies: ApiDependencies,
    name: str,
    *,
    q: str = "",
    before: int | None = None,
    last_change: Mapping[str, object] | None = None,
    problems: dict[str, str] | None = None,
    rows: list[RowProblem] | None = None,
    typed: dict[str, str] | None = None,
    status: int = 200,
) -> Response:
    """Return the page of a list.

    Args:
        request: request that the page answers.
        visitor: who is signed in.
        dependencies: what the routes use.
        name: name of the list.
        q: the only entity that is looked for; empty for every one.
        before: id of the last entry of the page before; None for the first page.
        last_change: what was just done, and its numbers.
        problems: what is wrong with the form of one entry, by field.
        rows: what is wrong with pasted or uploaded entries.
        typed: what was typed.
        status: status of the response.

    Raises:
        NotFound: there is no such list.
    """
    wanted = q.strip()

    def read(engine: Engine) -> _OneList:
        with tenant_transaction(engine, visitor.tenant_id) as connection:
            found = [
                one for one in stored_lists(connection, visitor.tenant_id) if one.list.name == name
            ]
            if not found:
                raise NotFound(f"There is no list {name!r}.")
            page = read_entries(
                connection,
                visitor.tenant_id,
                name,
                value=wanted or None,
                limit=PAGE_ENTRIES,
                before=before,
            )
        return _OneList(found[0], page)

    found, page = await dependencies.run(read)
    return render(
        request,
        "lists/list.html.j2",
        visitor,
        status=status,
        stored=found,
        entries=page.entries,
        next=page.next,
        q=wanted,
        before=before,
        last_change=last_change or {},
        problems=problems or {},
        rows=rows or [],
        typed=typed or {},
        expiries=EXPIRIES,
        entity_path=entity_path,
    )


async def _show_lists(
    request: Request,
    visitor: Visitor,
    dependencies: ApiDependencies,
    *,
    removed: str = "",
    problems: dict[str, str] | None = None,
    typed: Mapping[str, object] | None = None,
) -> Response:
    def read(engine: Engine) -> _Lists:
        with tenant_transaction(engine, visitor.tenant_id) as connection:
            event_type = event_type_in_force(connection, visitor.tenant_id)
            fields = [field for field in event_type.kept.values() if field.entity]
            return _Lists(stored_lists(connection, visitor.tenant_id), fields)

    lists, fields = await dependencies.run(read)
    return render(
        request,
        "lists/lists.html.j2",
        visitor,
        status=422 if problems else 200,
        lists=lists,
        fields=fields,
        entities=sorted({str(field.entity) for field in fields}),
        removed=removed,
        problems=problems or {},
        typed=typed or {},
    )
