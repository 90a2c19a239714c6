"""The page of the search, its export, and saved searches."""

from __future__ import annotations

from functools import partial
from http import HTTPStatus
from typing import Annotated
from urllib.parse import parse_qsl, urlencode
from uuid import UUID

from fastapi import APIRouter, Form, Path
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse

from api.dependencies import ApiDependencies, CurrentDependencies
from api.pagination import MAX_CURSOR_LENGTH
from api.review.export_lines import csv_of
from console.access import Reviewer, Visitor
from console.event_types import event_type_of
from console.event_values import entity_path, shown_entities
from console.page_route import PageRoute
from console.rendering import formats_of, render
from console.search import form as filters
from console.typed_amounts import typed_amount
from persistence.people.saved_searches import list_searches, remove_search, save_search
from persistence.review.event_finding import (
    FoundById,
    LookedTooLong,
    find_by_id,
    find_event_ids,
    find_events,
)
from persistence.review.event_looked import Place
from persistence.review.event_search import MAX_DAYS
from persistence.review.search import SearchReader
from scoring.errors import InvalidRequest
from scoring.policy import OUTCOMES, RISK_BANDS
from web.invalid_fields import invalid_fields

router = APIRouter(include_in_schema=False, route_class=PageRoute)

PATH = "/console/search"
PAGE_ROWS = 40
EXPORT_ROWS = 100_000


@router.get(PATH)
async def search_page(
    request: Request, visitor: Reviewer, dependencies: CurrentDependencies
) -> Response:
    """Show the transactions that pass the filters of the address, newest first."""
    event_type = await event_type_of(dependencies, visitor.tenant_id)
    formats = formats_of(request, visitor)
    form = filters.read_form(request.query_params, event_type, formats.zone, formats.now)
    saved = await dependencies.run(list_searches, visitor.tenant_id, visitor.signed_in.user.id)
    page, next_path, found = None, None, FoundById()
    if form.search is not None:
        page = await dependencies.run(
            find_events,
            visitor.tenant_id,
            form.search,
            limit=PAGE_ROWS,
            reader=visitor.actor,
            after=_place(dependencies, request, visitor, form),
        )
        if page.next is not None:
            key = _cursor_key(visitor, form)
            cursor = dependencies.cursors.seal([page.next.way, str(page.next.last)], *key)
            next_path = f"{PATH}?{urlencode({**form.values, 'cursor': cursor})}"
        if form.search.typed is not None:
            found = await dependencies.run(
                find_by_id,
                visitor.tenant_id,
                form.search.typed,
                event_type,
                reader=visitor.actor,
            )
    return render(
        request,
        "search/search.html.j2",
        visitor,
        status=HTTPStatus.UNPROCESSABLE_ENTITY if form.problems else HTTPStatus.OK,
        form=form,
        fields=[(one, filters.names_of(one)) for one in filters.filterable(event_type)],
        page=page,
        rows=[
            (case, shown_entities(case.decided.transaction, formats))
            for case in (page.cases if page else ())
        ],
        next_path=next_path,
        entities=[(kind, entity_path(kind, form.values["q"])) for kind in found.entities],
        amount=typed_amount(form.values.get("q", ""), formats.language)
        if "amount" in event_type.roles
        else None,
        saved=saved,
        ranges=tuple(filters.RANGES),
        bands=RISK_BANDS,
        outcomes=OUTCOMES,
        verdicts=filters.VERDICTS,
        max_days=MAX_DAYS,
    )


@router.get(f"{PATH}.csv")
async def export(
    request: Request, visitor: Reviewer, dependencies: CurrentDependencies
) -> Response:
    """Send the transactions that pass the filters of the address as CSV."""
    event_type = await event_type_of(dependencies, visitor.tenant_id)
    formats = formats_of(request, visitor)
    form = filters.read_form(request.query_params, event_type, formats.zone, formats.now)
    if form.search is None:
        raise invalid_fields([((name,), "is not valid") for name in form.problems])
    find = partial(
        find_event_ids,
        tenant_id=visitor.tenant_id,
        search=form.search,
        limit=EXPORT_ROWS,
        reader=SearchReader(visitor.actor, "transactions.exported"),
    )
    try:
        ids, has_more = await dependencies.run_expensive(find)
    except LookedTooLong:
        message = "has more payments to look at than there is time for; choose a shorter time"
        raise invalid_fields([(("range",), message)]) from None
    if has_more:  # a file that is cut would look complete
        message = f"finds more than {EXPORT_ROWS:,} transactions; choose a shorter time"
        raise invalid_fields([(("range",), message)])
    lines = await csv_of(dependencies, visitor.tenant_id, ids)
    headers = {
        "Content-Disposition": 'attachment; filename="transactions.csv"',
        "Cache-Control": "no-store",
    }
    return StreamingResponse(lines, media_type="text/csv", headers=headers)


@router.post(f"{PATH}/saved")
async def save(
    request: Request,
    visitor: Reviewer,
    dependencies: CurrentDependencies,
    name: Annotated[str, Form()],
    query: Annotated[str, Form()] = "",
) -> Response:
    """Keep the filters of the page under a name."""
    event_type = await event_type_of(dependencies, visitor.tenant_id)
    formats = formats_of(request, visitor)
    given = dict(parse_qsl(query))
    form = filters.read_form(given, event_type, formats.zone, formats.now)
    await dependencies.run(
        save_search,
        visitor.tenant_id,
        visitor.signed_in.user.id,
        name=name.strip(),
        parameters=form.query,
        actor=visitor.actor,
    )
    return RedirectResponse(f"{PATH}?{form.query}", HTTPStatus.SEE_OTHER)


@router.post(f"{PATH}/saved/{{search_id}}/remove")
async def remove(
    visitor: Reviewer,
    dependencies: CurrentDependencies,
    search_id: Annotated[int, Path(ge=1, le=2**31 - 1)],
) -> Response:
    """Remove a saved search."""
    await dependencies.run(
        remove_search,
        visitor.tenant_id,
        visitor.signed_in.user.id,
        search_id,
        actor=visitor.actor,
    )
    return RedirectResponse(PATH, HTTPStatus.SEE_OTHER)


def _cursor_key(visitor: Visitor, form: filters.Form) -> tuple[object, ...]:
    return (visitor.tenant_id, "console.search", form.query)


def _place(
    dependencies: ApiDependencies, request: Request, visitor: Visitor, form: filters.Form
) -> Place | None:
    cursor = request.query_params.get("cursor")
    if cursor is None:
        return None
    if len(cursor) > MAX_CURSOR_LENGTH:
        raise InvalidRequest("The address of this page of results is not complete.")
    way, last = dependencies.cursors.open(cursor, *_cursor_key(visitor, form))
    return Place(way, UUID(last))
