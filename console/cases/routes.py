"""The list of cases, and opening one."""

from __future__ import annotations

from datetime import date, datetime
from http import HTTPStatus
from typing import Annotated, Any, Literal
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Form, Query
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from api.dependencies import ApiDependencies, CurrentDependencies
from console.access import Reviewer, Visitor
from console.cases.forms import case_form, entity_of, event_ids, note_text
from console.event_types import event_type_of
from console.event_values import shown_entities
from console.formats import utc_now
from console.page_route import PageRoute
from console.rendering import render
from persistence.cases.changes import Contents, create_case
from persistence.cases.facts import OUTCOMES, PRIORITIES, Priority, Status
from persistence.cases.links import MAX_AT_ONCE
from persistence.cases.listing import (
    NOBODY,
    CaseFilter,
    Due,
    OpenPlace,
    count_cases,
    list_closed,
    list_open,
)
from persistence.cases.opening import Opening, read_opening
from persistence.people.users import list_users
from scoring.errors import InvalidRequest

router = APIRouter(include_in_schema=False, route_class=PageRoute)

PAGE_ROWS = 25
OPEN_CASES = 10
"""Open cases that are offered beside a new one."""
CASES = "/console/cases"


@router.get(CASES)
async def list_page(
    request: Request,
    visitor: Reviewer,
    dependencies: CurrentDependencies,
    status: Status = "open",
    priority: Literal["", Priority] = "",
    assignee: Annotated[str, Query(pattern=r"^(|me|none|[0-9]{1,18})$")] = "",
    due: Literal["", Due] = "",
    cursor: str | None = None,
) -> Response:
    """Show the cases that pass the filters, overdue ones first."""
    wanted = CaseFilter(
        today_of(visitor),
        status,
        priority or None,
        _assignee_id(visitor, assignee),
        (due or None) if status == "open" else None,
    )
    filters = {"status": status, "priority": priority, "assignee": assignee, "due": due}
    query = (visitor.tenant_id, "console cases", *filters.values())
    place = dependencies.cursors.open(cursor, *query) if cursor else None
    found: Any
    if status == "open":
        after: OpenPlace | None = None
        if place:
            due_on, last, number = place
            after = (date.fromisoformat(due_on) if due_on else None, last, number)
        found = await dependencies.run(
            list_open, visitor.tenant_id, wanted, limit=PAGE_ROWS, after=after
        )
        end = found.next and [found.next[0] and found.next[0].isoformat(), *found.next[1:]]
    else:
        before = (datetime.fromisoformat(place[0]), place[1]) if place else None
        found = await dependencies.run(
            list_closed, visitor.tenant_id, wanted, limit=PAGE_ROWS, after=before
        )
        end = found.next and [found.next[0].isoformat(), found.next[1]]
    given = {name: value for name, value in filters.items() if value}
    following = end and urlencode(given | {"cursor": dependencies.cursors.seal(end, *query)})
    return render(
        request,
        "cases/list.html.j2",
        visitor,
        cases=found.entries,
        counts=await dependencies.run(count_cases, visitor.tenant_id, wanted),
        people=await dependencies.run(list_users, visitor.tenant_id),
        filters=filters,
        address=lambda **changes: _address(given | changes),
        priorities=PRIORITIES,
        following=following,
    )


@router.get(f"{CASES}/new")
async def new_page(
    request: Request,
    visitor: Reviewer,
    dependencies: CurrentDependencies,
    transaction: Annotated[list[str], Query(max_length=MAX_AT_ONCE)] = [],  # noqa: B006 - FastAPI copies it
    entity: str = "",
    key: str = "",
) -> Response:
    """Show the form that opens a case, with the events and the entity that it begins with."""
    given = event_ids(transaction) if any(transaction) else []
    return await _new_page(request, visitor, dependencies, given, entity, key)


@router.post(f"{CASES}/new")
async def open_case(
    request: Request,
    visitor: Reviewer,
    dependencies: CurrentDependencies,
    title: Annotated[str | None, Form()] = None,
    priority: Annotated[str, Form()] = "normal",
    assignee: Annotated[str, Form()] = "",
    due_on: Annotated[str, Form()] = "",
    note: Annotated[str, Form()] = "",
    transaction: Annotated[list[str], Form(max_length=MAX_AT_ONCE)] = [],  # noqa: B006
    item: Annotated[list[str], Form(max_length=MAX_AT_ONCE)] = [],  # noqa: B006
    entity: Annotated[str, Form()] = "",
    key: Annotated[str, Form()] = "",
) -> Response:
    """Open a case; without a title, as other pages send their events, show its form first."""
    # The queue's items have the id of the latest feedback after a dot.
    transaction = [*transaction, *(one.partition(".")[0] for one in item)]
    if title is None:
        given = event_ids(transaction) if any(transaction) else []
        return await _new_page(request, visitor, dependencies, given, entity, key)
    given = []
    typed = {
        "title": title, "priority": priority, "assignee": assignee, "due_on": due_on, "note": note,
    }  # fmt: skip
    try:
        event_type = await event_type_of(dependencies, visitor.tenant_id)
        given = event_ids(transaction) if any(transaction) else []
        contents = Contents(
            given,
            [entity_of(entity, key, event_type)] if entity or key else (),
            note_text(note, is_needed=False),
        )
        form = case_form(title, priority, assignee, due_on)
        number = await dependencies.run(
            create_case, visitor.tenant_id, form, contents, actor=visitor.actor
        )
    except InvalidRequest as error:
        return await _new_page(
            request, visitor, dependencies, given, entity, key, typed=typed, error=error
        )
    return RedirectResponse(f"{CASES}/{number}", HTTPStatus.SEE_OTHER)


def today_of(visitor: Visitor) -> date:
    """Return the current day in the tenant's time zone."""
    return utc_now().astimezone(ZoneInfo(visitor.signed_in.time_zone)).date()


async def _new_page(
    request: Request,
    visitor: Visitor,
    dependencies: ApiDependencies,
    given: list[str],
    entity: str,
    key: str,
    *,
    typed: dict[str, str] | None = None,
    error: InvalidRequest | None = None,
) -> Response:
    opening: Opening = await dependencies.run(
        read_opening, visitor.tenant_id, given, open_cases=OPEN_CASES
    )
    blank = {"title": "", "priority": "normal", "due_on": "", "note": ""}
    return render(
        request,
        "cases/new.html.j2",
        visitor,
        status=HTTPStatus.UNPROCESSABLE_ENTITY if error else HTTPStatus.OK,
        opening=opening,
        given=given,
        entity=entity,
        key=key,
        typed=typed or {**blank, "assignee": str(visitor.signed_in.user.id)},
        error=error,
        errors={one.field: one.message for one in error.errors} if error else {},
        people=await dependencies.run(list_users, visitor.tenant_id),
        priorities=PRIORITIES,
        outcomes=OUTCOMES,
        entities_of=shown_entities,
    )


def _assignee_id(visitor: Visitor, assignee: str) -> int | None:
    if assignee == "me":
        return visitor.signed_in.user.id
    if assignee == "none":
        return NOBODY
    return int(assignee) if assignee else None


def _address(given: dict[str, str]) -> str:
    return f"{CASES}?{urlencode({name: value for name, value in given.items() if value})}"
