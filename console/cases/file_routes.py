"""The file of a case: one page of HTML that opens without a network, for a regulator."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Path
from starlette.requests import Request
from starlette.responses import Response

from api.dependencies import CurrentDependencies
from console.access import Reviewer
from console.cases.activity import activity_lines
from console.cases.routes import CASES
from console.event_values import shown_values
from console.page_route import PageRoute
from console.reasons import shown_reasons
from console.rendering import formats_of, render
from persistence.cases.activity import read_activity
from persistence.cases.reading import export_case
from persistence.people.users import list_users

router = APIRouter(include_in_schema=False, route_class=PageRoute)

MAX_LINES = 2000
"""Changes and exports of a case in its file, the newest."""
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


@router.get(f"{CASES}/{{number}}/file")
async def case_file(
    request: Request,
    visitor: Reviewer,
    dependencies: CurrentDependencies,
    number: Annotated[int, Path(ge=1, le=2**31 - 1)],
) -> Response:
    """Return the whole case as a file; the access log has who exported it."""
    file = await dependencies.run(export_case, visitor.tenant_id, number, reader=visitor.actor)
    people = await dependencies.run(list_users, visitor.tenant_id)
    entries = await dependencies.run(read_activity, visitor.tenant_id, number, limit=MAX_LINES)
    name = f"case-{number}-{visitor.signed_in.tenant_slug}.html"
    return render(
        request,
        "cases/file.html.j2",
        visitor,
        headers={
            "Content-Disposition": f'attachment; filename="{name}"',
            "Content-Security-Policy": _POLICY,
        },
        file=file,
        facts=file.facts,
        names={person.id: person.name for person in people},
        lines=activity_lines(entries),
        is_cut=len(entries) == MAX_LINES,
        policy=_POLICY,
        values_of=shown_values,
        reasons_of=partial(shown_reasons, formats=formats_of(request, visitor), in_log_odds=True),
    )
