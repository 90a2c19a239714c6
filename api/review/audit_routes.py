"""The route that reads the audit log and the access log."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from api.dependencies import Admin, CurrentDependencies
from api.openapi_responses import ANYWHERE, NEXT_PAGE, problems, reply
from api.review import examples, schemas
from api.review.responses import audit_page
from api.review.search_query import to_audit_filter
from persistence.review.audit import AuditEntry, read_accesses, read_changes
from persistence.review.cases import Page

router = APIRouter(tags=["Review"])


@router.get(
    "/audit",
    operation_id="read_audit",
    summary="Who changed what, or who read it, newest first",
    responses={
        **problems(*ANYWHERE),
        200: {
            **reply(description="a page of the log", a_promotion=examples.AUDIT_PAGE),
            "headers": NEXT_PAGE,
        },
    },
)
async def read_audit_log(
    query: Annotated[schemas.AuditQuery, Query()],
    caller: Admin,
    dependencies: CurrentDependencies,
    request: Request,
    response: Response,
) -> schemas.AuditPage:
    """Keys, promotions, policies, feedback: before and after, by whom.

    With `reads`: which case or account was read, searched for or exported. Scope: admin.
    """
    wanted = to_audit_filter(query)
    cursor_key = (caller.tenant_id, "audit", query.reads, wanted)
    position = (
        dependencies.cursors.open(query.cursor, *cursor_key) if query.cursor is not None else None
    )
    page: Page[AuditEntry, Any]
    if query.reads:
        page = await dependencies.run(
            read_accesses,
            caller.tenant_id,
            wanted,
            limit=query.limit,
            before=UUID(position[0]) if position else None,
        )
        next_position = None if page.next is None else [page.next]
    else:
        page = await dependencies.run(
            read_changes,
            caller.tenant_id,
            wanted,
            limit=query.limit,
            before=(datetime.fromisoformat(position[0]), position[1]) if position else None,
        )
        next_position = None if page.next is None else list(page.next)
    next_cursor = dependencies.cursors.seal_next(
        response.headers, request.query_params, next_position, *cursor_key
    )
    return audit_page(page, next_cursor)
