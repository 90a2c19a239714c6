"""What the queue's script asks for: what changed, who looks at what, and assignments."""

from __future__ import annotations

from functools import partial
from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Form, Query
from pydantic import Field
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from api.dependencies import CurrentDependencies
from console.access import Reviewer
from console.page_route import PageRoute, local_path
from console.queue.filters import PATH, QueueQuery
from console.queue.routes import MAX_NEWER
from console.queue.rows import row_state
from console.rendering import PAGE_HEADERS, language_of
from console.strings import translate
from console.verdicts.form import Item, Items
from persistence.review.assignments import assign, claim
from persistence.review.queue_changes import read_changes

router = APIRouter(include_in_schema=False, route_class=PageRoute)

MAX_SHOWN = 100


class ChangesQuery(QueueQuery):
    """Filters of a page of the queue, and what it shows.

    Attributes:
        since: least id of a prediction that the page may not know.
        shown: transactions that it shows.
    """

    since: UUID
    shown: Annotated[tuple[UUID, ...], Field(max_length=MAX_SHOWN)] = ()


@router.get(f"{PATH}/changes")
async def changes(
    request: Request,
    visitor: Reviewer,
    dependencies: CurrentDependencies,
    query: Annotated[ChangesQuery, Query()],
) -> Response:
    """Return what a page of the queue does not show yet."""
    user_id = visitor.signed_in.user.id
    found = await dependencies.run(
        read_changes,
        visitor.tenant_id,
        query.wanted(user_id),
        band=query.band,
        since=query.since,
        limit=MAX_NEWER,
        shown=query.shown,
    )
    text = partial(translate, language_of(request))
    rows = {
        str(one): row_state(found.assignments.get(one), found.feedback.get(one), user_id, text)
        for one in query.shown
    }
    newer = [str(one) for one in found.newer]
    return JSONResponse({"newer": newer, "rows": rows}, headers=PAGE_HEADERS)


@router.post(f"{PATH}/claims")
async def look_at(
    request: Request,
    visitor: Reviewer,
    dependencies: CurrentDependencies,
    item: Annotated[UUID, Form()],
    leave: Annotated[UUID | None, Form()] = None,
) -> Response:
    """Claim the transaction that the person stands on, and leave the one before."""
    user = visitor.signed_in.user
    held = await dependencies.run(claim, item, user, leave=leave)
    text = partial(translate, language_of(request))
    return JSONResponse(row_state(held, None, user.id, text), headers=PAGE_HEADERS)


@router.post(f"{PATH}/assignments")
async def take(
    request: Request,
    visitor: Reviewer,
    dependencies: CurrentDependencies,
    items: Annotated[Items, Form(alias="item")],
    next_path: Annotated[str, Form(alias="next")] = PATH,
) -> Response:
    """Assign transactions to the person who asks."""
    user = visitor.signed_in.user
    ids = [Item.parse(one).transaction_id for one in items]
    before = await dependencies.run(assign, ids, user)
    if "application/json" not in request.headers.get("accept", ""):
        return RedirectResponse(local_path(next_path), HTTPStatus.SEE_OTHER)
    text = partial(translate, language_of(request))
    others = sorted({one.name for one in before.values() if one.user_id != user.id})
    who = text("queue.assigned.me")
    message = text("queue.taken", names=", ".join(others)) if others else who
    return JSONResponse({"who": who, "other": False, "message": message}, headers=PAGE_HEADERS)
