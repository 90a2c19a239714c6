"""The list of the command palette."""

from __future__ import annotations

from contextlib import suppress

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from api.dependencies import CurrentDependencies
from console.access import Reviewer
from console.event_types import event_type_of
from console.event_values import entity_path
from console.navigation import NAVIGATION, Entry
from console.page_route import PageRoute
from console.rendering import formats_of, language_of, render
from console.search.form import MAX_LENGTH
from console.strings import translate
from console.typed_amounts import typed_amount
from persistence.cases.facts import find_case
from persistence.review.event_finding import find_by_id
from scoring.errors import NotFound

router = APIRouter(include_in_schema=False, route_class=PageRoute)

PAGES = (
    *NAVIGATION,
    Entry("people", "/console/settings/people", "admin"),
    Entry("keys", "/console/settings/keys", "admin"),
)
_SHORTEST_ID = 2
_LONGEST_NUMBER = 10
"""Digits of a number that no case has."""


@router.get("/console/palette")
async def palette(
    request: Request, visitor: Reviewer, dependencies: CurrentDependencies, q: str = ""
) -> Response:
    """List the pages whose names contain what was typed, and what has it as its id."""
    typed = q.replace("\0", "").strip()[:MAX_LENGTH]
    language = language_of(request)
    pages = [
        (translate(language, f"navigation.{entry.name}"), entry.path)
        for entry in PAGES
        if visitor.may(entry.scope)
    ]
    has_amount = False
    options = [("page", text, path) for text, path in pages if typed.lower() in text.lower()]
    if len(typed) >= _SHORTEST_ID:
        event_type = await event_type_of(dependencies, visitor.tenant_id)
        has_amount = "amount" in event_type.roles
        found = await dependencies.run(
            find_by_id, visitor.tenant_id, typed, event_type, reader=visitor.actor
        )
        options += [
            ("transaction", typed, f"/console/transactions/{one}") for one in found.transactions
        ]
        options += [
            ("entity", f"{kind} {typed}", entity_path(kind, typed)) for kind in found.entities
        ]
    if has_amount and (amount := typed_amount(typed, language)) is not None:
        shown = formats_of(request, visitor).money(amount)
        address = f"/console/search?amount_min={amount:.2f}&amount_max={amount:.2f}"
        options.append(("amount", shown, address))
    if typed.isascii() and typed.isdigit() and len(typed) < _LONGEST_NUMBER:
        with suppress(NotFound):
            case = await dependencies.run(find_case, visitor.tenant_id, int(typed))
            options.append(("case", f"{case.number}: {case.title}", f"/console/cases/{typed}"))
    return render(request, "palette/options.html.j2", visitor, options=options, typed=typed)
