"""The page of the audit log and of the access log."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from api.dependencies import CurrentDependencies
from console.access import Admin
from console.audit.sentences import ACTIONS, READS, action_name, sentence_of
from console.page_route import PageRoute
from console.rendering import language_of, render
from persistence.people.users import list_users
from persistence.review.audit import AuditEntry, AuditFilter, read_accesses, read_changes
from persistence.review.cases import Page
from web.invalid_fields import invalid_fields

router = APIRouter(include_in_schema=False, route_class=PageRoute)

PATH = "/console/audit"
PAGE_ROWS = 30
_FILTERS = ("log", "actor", "action", "object", "from", "to")
_MAX_LENGTH = 400


@router.get(PATH)
async def audit_page(
    request: Request, visitor: Admin, dependencies: CurrentDependencies
) -> Response:
    """Show who did what, newest first."""
    values = _values(request)
    zone = ZoneInfo(visitor.signed_in.time_zone)
    wanted = AuditFilter(
        action=values.get("action"),
        actor=values.get("actor"),
        object=values.get("object"),
        since=_time(values, "from", zone),
        until=_time(values, "to", zone),
    )
    is_reads = values.get("log") == "reads"
    key = (visitor.tenant_id, "console audit", urlencode(values))
    cursor = request.query_params.get("cursor")
    position: list[Any] | None = dependencies.cursors.open(cursor, *key) if cursor else None
    page: Page[AuditEntry, Any]
    if is_reads:
        page = await dependencies.run(
            read_accesses,
            visitor.tenant_id,
            wanted,
            limit=PAGE_ROWS,
            before=UUID(position[0]) if position else None,
        )
        after = [str(page.next)] if page.next else None
    else:
        page = await dependencies.run(
            read_changes,
            visitor.tenant_id,
            wanted,
            limit=PAGE_ROWS,
            before=(datetime.fromisoformat(position[0]), position[1]) if position else None,
        )
        after = [page.next[0].isoformat(), page.next[1]] if page.next else None
    next_path = None
    if after is not None:
        sealed = dependencies.cursors.seal(after, *key)
        next_path = f"{PATH}?{urlencode({**values, 'cursor': sealed})}"
    people = await dependencies.run(list_users, visitor.tenant_id)
    names = {f"users/{one.id}": one.name for one in people}
    language = language_of(request)
    return render(
        request,
        "audit/audit.html.j2",
        visitor,
        values=values,
        is_reads=is_reads,
        sentences=[sentence_of(entry, language, names) for entry in page.entries],
        actions={one: action_name(one, language) for one in (READS if is_reads else ACTIONS)},
        people=people,
        next_path=next_path,
    )


def _values(request: Request) -> dict[str, str]:
    values = {name: request.query_params.get(name, "").strip() for name in _FILTERS}
    bad = [name for name, value in values.items() if len(value) > _MAX_LENGTH or "\0" in value]
    if bad:
        raise invalid_fields([((name,), "is too long, or no text") for name in bad])
    return {name: value for name, value in values.items() if value}


def _time(values: dict[str, str], name: str, zone: ZoneInfo) -> datetime | None:
    text = values.get(name)
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise invalid_fields([((name,), "must be a time such as 2026-11-27T09:30")]) from error
