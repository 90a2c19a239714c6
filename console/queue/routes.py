"""The page of the worklist."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from api.dependencies import CurrentDependencies
from console.access import Reviewer
from console.page_route import PageRoute
from console.rendering import render
from persistence.review.worklist import REVIEWS, read_worklist

router = APIRouter(include_in_schema=False, route_class=PageRoute)

PAGE_ROWS = 50


@router.get("/console/queue")
async def queue_page(
    request: Request, visitor: Reviewer, dependencies: CurrentDependencies
) -> Response:
    """Show what waits for an analyst, highest risk first."""
    page = await dependencies.run(
        read_worklist, visitor.tenant_id, REVIEWS, undecided=True, limit=PAGE_ROWS
    )
    return render(request, "queue/queue.html.j2", visitor, cases=page.entries)
