"""The page of the queue."""

from __future__ import annotations

from time import time_ns
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from api.dependencies import ApiDependencies, CurrentDependencies
from console.access import Reviewer, Visitor
from console.page_route import PageRoute
from console.queue.filters import PATH, QueueQuery
from console.queue.rows import queue_row
from console.rendering import render
from persistence.people.users import list_users
from persistence.review.queue import QueuePage, read_queue
from persistence.review.queue_changes import read_changes
from persistence.review.worklist import Place
from persistence.rules.display_names import read_display_names
from persistence.uuid7 import first_id_at

router = APIRouter(include_in_schema=False, route_class=PageRoute)

PAGE_ROWS = 25
MAX_NEWER = 100
_OVERLAP_MS = 10_000
"""Time before the page was made from which on the page asks for newer decisions: an id carries the
time of its request, and the commit follows."""


@router.get(PATH)
async def queue_page(
    request: Request,
    visitor: Reviewer,
    dependencies: CurrentDependencies,
    query: Annotated[QueueQuery, Query()],
) -> Response:
    """Show what waits for a verdict, highest risk or oldest first."""
    user_id, tenant_id = visitor.signed_in.user.id, visitor.tenant_id
    wanted = query.wanted(user_id)
    since = first_id_at(time_ns() // 1_000_000 - _OVERLAP_MS)
    known = await dependencies.run(
        read_changes, tenant_id, wanted, band=query.band, since=since, limit=MAX_NEWER, shown=()
    )
    page = await _read(dependencies, visitor, query)
    names = await dependencies.run(read_display_names, tenant_id)
    people = await dependencies.run(list_users, tenant_id)
    following = _cursor(dependencies, visitor, query, page.next)
    previous = _cursor(dependencies, visitor, query, page.previous)
    shown_bands = [query.band] if query.band else list(page.counts)
    return render(
        request,
        "queue/queue.html.j2",
        visitor,
        query=query,
        entries=page.entries,
        queue_row=queue_row,
        names=names,
        user_id=user_id,
        counts=page.counts,
        capped=page.capped,
        total=sum(page.counts.values()),
        shown=sum(page.counts[band] for band in shown_bands),
        is_at_least=bool(page.capped.intersection(shown_bands)),
        most=wanted.most,
        next_page=query.address(cursor=following) if following else None,
        previous_page=query.address(cursor=previous) if query.cursor else None,
        people=[one for one in people if one.disabled_at is None and one.id != user_id],
        since=since,
        known=known.newer,
        here=_here(request),
    )


async def _read(dependencies: ApiDependencies, visitor: Visitor, query: QueueQuery) -> QueuePage:
    after = None
    if query.cursor is not None:
        key = _cursor_key(visitor, query)
        score, prediction_id = dependencies.cursors.open(query.cursor, *key)
        after = Place(score, UUID(prediction_id))
    return await dependencies.run(
        read_queue,
        visitor.tenant_id,
        query.wanted(visitor.signed_in.user.id),
        band=query.band,
        order=query.order,
        limit=PAGE_ROWS,
        after=after,
    )


def _cursor(
    dependencies: ApiDependencies, visitor: Visitor, query: QueueQuery, place: Place | None
) -> str | None:
    if place is None:
        return None
    position = [place.score, place.prediction_id]
    return dependencies.cursors.seal(position, *_cursor_key(visitor, query))


def _cursor_key(visitor: Visitor, query: QueueQuery) -> tuple[object, ...]:
    filters = {name: value for name, value in query.parameters().items() if name != "cursor"}
    return (visitor.tenant_id, "console.queue", filters)


def _here(request: Request) -> str:
    query = request.url.query
    return f"{request.url.path}?{query}" if query else request.url.path
