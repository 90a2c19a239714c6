"""The page of a case, and what people change there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Annotated, Any, Concatenate
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Form, Path
from sqlalchemy import Engine
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from api.dependencies import ApiDependencies, CurrentDependencies
from console.access import Reviewer, Visitor
from console.cases.activity import activity_lines
from console.cases.forms import (
    case_form,
    entity_kinds,
    entity_of,
    event_ids,
    note_text,
    outcome_form,
)
from console.cases.routes import CASES
from console.event_types import event_type_of
from console.event_values import entity_path, shown_entities
from console.page_route import PageRoute, local_path
from console.rendering import render
from persistence.cases.activity import changes_since, read_activity
from persistence.cases.changes import CaseMoved, change_case, close_case, reopen_case
from persistence.cases.facts import OUTCOMES, PRIORITIES
from persistence.cases.links import (
    CaseIsClosed,
    link_entity,
    link_events,
    unlink_entity,
    unlink_event,
)
from persistence.cases.notes import MAX_NOTE_LENGTH, add_note
from persistence.cases.reading import MAX_NOTES, read_case_page
from persistence.people.users import list_users
from scoring.errors import InvalidRequest

router = APIRouter(include_in_schema=False, route_class=PageRoute)

CASE = f"{CASES}/{{number}}"
PAGE_EVENTS = 20
PAGE_NOTES = 10
PAGE_LINES = 25

Number = Annotated[int, Path(ge=1, le=2**31 - 1)]
Text = Annotated[str, Form()]
Seen = Annotated[int, Form(ge=0, le=2**31 - 1)]


@router.get(CASE)
async def case_page(
    request: Request,
    visitor: Reviewer,
    dependencies: CurrentDependencies,
    number: Number,
    cursor: str | None = None,
    notes: str = "",
) -> Response:
    """Show a case."""
    return await _page(request, visitor, dependencies, number, cursor=cursor, notes=notes)


@router.post(f"{CASE}/details")
async def change(
    request: Request,
    visitor: Reviewer,
    dependencies: CurrentDependencies,
    number: Number,
    seen: Seen,
    title: Text = "",
    priority: Text = "normal",
    assignee: Text = "",
    due_on: Text = "",
) -> Response:
    """Change the facts of a case."""
    typed = {"title": title, "priority": priority, "assignee": assignee, "due_on": due_on}
    attempt = _Attempt(request, visitor, dependencies, number, "details", typed, seen)
    return await attempt.make(
        lambda: (case_form(title, priority, assignee, due_on),), change_case, seen=seen
    )


@router.post(f"{CASE}/close")
async def close(
    request: Request,
    visitor: Reviewer,
    dependencies: CurrentDependencies,
    number: Number,
    seen: Seen,
    outcome: Text = "",
    amount: Text = "",
    note: Text = "",
) -> Response:
    """Close a case."""
    typed = {"outcome": outcome, "amount": amount, "note": note}
    attempt = _Attempt(request, visitor, dependencies, number, "close", typed, seen)
    return await attempt.make(
        lambda: (*outcome_form(outcome, amount), note_text(note, is_needed=False)),
        close_case, seen=seen,
    )  # fmt: skip


@router.post(f"{CASE}/reopen")
async def reopen(
    request: Request, visitor: Reviewer, dependencies: CurrentDependencies, number: Number,
    seen: Seen,
) -> Response:  # fmt: skip
    """Open a closed case again."""
    attempt = _Attempt(request, visitor, dependencies, number, "reopen", {}, seen)
    return await attempt.make(tuple, reopen_case, seen=seen)


@router.post(f"{CASE}/events")
async def add_events(
    request: Request,
    visitor: Reviewer,
    dependencies: CurrentDependencies,
    number: Number,
    transaction_id: Annotated[list[str], Form()],
    next: Text = "",
) -> Response:
    """Link events by id, of the transaction or prediction, or by external id."""
    typed = {"transaction_id": " ".join(transaction_id)}
    attempt = _Attempt(request, visitor, dependencies, number, "events", typed)
    return await attempt.make(lambda: (event_ids(transaction_id),), link_events, back=next)


@router.post(f"{CASE}/events/remove")
async def remove_event(
    request: Request,
    visitor: Reviewer,
    dependencies: CurrentDependencies,
    number: Number,
    transaction_id: Annotated[UUID, Form()],
) -> Response:
    """Remove an event from a case."""
    attempt = _Attempt(request, visitor, dependencies, number, "events", {})
    return await attempt.make(lambda: (transaction_id,), unlink_event)


@router.post(f"{CASE}/entities")
async def add_entity(
    request: Request,
    visitor: Reviewer,
    dependencies: CurrentDependencies,
    number: Number,
    entity: Text = "",
    key: Text = "",
    next: Text = "",
) -> Response:
    """Link an entity by kind and key."""
    event_type = await event_type_of(dependencies, visitor.tenant_id)
    typed = {"entity": entity, "key": key}
    attempt = _Attempt(request, visitor, dependencies, number, "entities", typed)
    return await attempt.make(lambda: entity_of(entity, key, event_type), link_entity, back=next)


@router.post(f"{CASE}/entities/remove")
async def remove_entity(
    request: Request,
    visitor: Reviewer,
    dependencies: CurrentDependencies,
    number: Number,
    entity: Text,
    key: Text,
) -> Response:
    """Remove an entity from a case."""
    attempt = _Attempt(request, visitor, dependencies, number, "entities", {})
    return await attempt.make(lambda: (entity, key), unlink_entity)


@router.post(f"{CASE}/notes")
async def write_note(
    request: Request, visitor: Reviewer, dependencies: CurrentDependencies, number: Number,
    note: Text = "",
) -> Response:  # fmt: skip
    """Store a note on a case."""
    attempt = _Attempt(request, visitor, dependencies, number, "notes", {"note": note})
    return await attempt.make(lambda: (note_text(note),), add_note)


class _Attempt:
    """A change of a case: it leads back to the page, or shows it with what stands in the way."""

    def __init__(
        self,
        request: Request,
        visitor: Visitor,
        dependencies: ApiDependencies,
        number: int,
        form: str,
        typed: Mapping[str, str],
        seen: int | None = None,
    ) -> None:
        self._at = (request, visitor, dependencies, number)
        self._form = form
        self._typed = typed
        self._seen = seen

    async def make(
        self,
        read: Callable[[], tuple[Any, ...]],
        change: Callable[Concatenate[Engine, int, int, ...], None],
        *,
        back: str = "",
        **named: Any,  # noqa: ANN401 - arguments of the change
    ) -> Response:
        """Read the form, make the change, and answer."""
        _, visitor, dependencies, number = self._at
        try:
            given = read()
            await dependencies.run(
                change, visitor.tenant_id, number, *given, **named, actor=visitor.actor
            )
        except InvalidRequest as error:
            errors = {one.field: one.message for one in error.errors}
            return await self._again(HTTPStatus.UNPROCESSABLE_ENTITY, errors=errors)
        except CaseIsClosed:
            return await self._again(HTTPStatus.CONFLICT, is_closed=True)
        except CaseMoved:
            seen = self._seen or 0
            since = await dependencies.run(changes_since, visitor.tenant_id, number, seen)
            return await self._again(HTTPStatus.CONFLICT, since=activity_lines(since))
        address = local_path(back) if back else f"{CASES}/{number}#{self._form}"
        return RedirectResponse(address, HTTPStatus.SEE_OTHER)

    async def _again(self, status: HTTPStatus, **problem: Any) -> Response:  # noqa: ANN401
        found = {"errors": {}, "is_closed": False, "since": None, **problem, "form": self._form}
        return await _page(*self._at, status=status, problem=found, typed=self._typed)


async def _page(
    request: Request,
    visitor: Visitor,
    dependencies: ApiDependencies,
    number: int,
    *,
    status: HTTPStatus = HTTPStatus.OK,
    cursor: str | None = None,
    notes: str = "",
    problem: Mapping[str, Any] | None = None,
    typed: Mapping[str, str] | None = None,
) -> Response:
    tenant_id = visitor.tenant_id
    query = (tenant_id, "console case", number)
    after = UUID(dependencies.cursors.open(cursor, *query)[0]) if cursor else None
    page = await dependencies.run(
        read_case_page,
        tenant_id,
        number,
        events=PAGE_EVENTS,
        notes=MAX_NOTES if notes == "all" else PAGE_NOTES,
        reader=visitor.actor,
        after=after,
    )
    people = await dependencies.run(list_users, tenant_id)
    entries = await dependencies.run(read_activity, tenant_id, number, limit=4 * PAGE_LINES)
    end = page.events.next
    sealed = end and dependencies.cursors.seal([str(end)], *query)
    return render(
        request,
        "cases/case.html.j2",
        visitor,
        status=status,
        page=page,
        facts=page.facts,
        people=people,
        names={person.id: person.name for person in people},
        lines=activity_lines(entries)[:PAGE_LINES],
        following=sealed and urlencode({"cursor": sealed}),
        is_first=cursor is None,
        kinds=entity_kinds(await event_type_of(dependencies, visitor.tenant_id)),
        priorities=PRIORITIES,
        outcomes=OUTCOMES,
        max_note_length=MAX_NOTE_LENGTH,
        entities_of=shown_entities,
        entity_path=entity_path,
        problem=problem or {"form": "", "errors": {}, "is_closed": False, "since": None},
        typed=typed or {},
    )
