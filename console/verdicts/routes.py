"""Give a verdict on one transaction or on several, and learn what somebody else decided first."""

from __future__ import annotations

from functools import partial
from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Form
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from api.dependencies import CurrentDependencies
from console.access import Reviewer
from console.page_route import PageRoute, local_path
from console.queue.filters import PATH as QUEUE
from console.queue.rows import row_state
from console.rendering import PAGE_HEADERS, language_of, render
from console.strings import translate
from console.verdicts.form import Item, Items, given, rationale_or, seen_id
from persistence.review.cases import Label
from persistence.review.chosen import read_chosen
from persistence.review.verdicts import VerdictResult, give_verdicts

router = APIRouter(include_in_schema=False, route_class=PageRoute)

REASONS = ("denied", "confirmed", "taken_over", "pattern", "usual", "unclear")
"""Reasons that forms offer; keys under `verdicts.reasons`."""


@router.post("/console/transactions/{transaction_id}/verdict")
async def give_one(
    request: Request,
    visitor: Reviewer,
    dependencies: CurrentDependencies,
    transaction_id: UUID,
    label: Annotated[Label, Form()],
    rationale: Annotated[str, Form()] = "",
    seen: Annotated[str, Form()] = "",
    next_path: Annotated[str, Form(alias="next")] = QUEUE,
) -> Response:
    """Store a verdict, unless somebody else decided since the page was made: 409."""
    reason = rationale_or(rationale, _sentence(request, label))
    verdicts = given([Item(transaction_id, seen_id(seen))], label, reason)
    results = await dependencies.run(
        give_verdicts, visitor.tenant_id, verdicts, actor=visitor.actor
    )
    return _page_after(request, visitor, results, next_path)


@router.post("/console/verdicts/confirm")
async def confirm(
    request: Request,
    visitor: Reviewer,
    dependencies: CurrentDependencies,
    label: Annotated[Label, Form()],
    items: Annotated[Items | None, Form(alias="item")] = None,
    next_path: Annotated[str, Form(alias="next")] = QUEUE,
) -> Response:
    """Ask whether a verdict is meant for all that were chosen: how many, and for how much money."""
    chosen = [Item.parse(one) for one in items or ()]
    entries = await dependencies.run(
        read_chosen, visitor.tenant_id, [one.transaction_id for one in chosen]
    )
    is_fragment = "hx-request" in request.headers
    return render(
        request,
        "verdicts/confirm_form.html.j2" if is_fragment else "verdicts/confirm.html.j2",
        visitor,
        label=label,
        items=items or [],
        entries=entries,
        total=sum(one.case.decided.transaction.amount or 0.0 for one in entries),
        others=[
            one.assignment
            for one in entries
            if one.assignment and one.assignment.user_id != visitor.signed_in.user.id
        ],
        reasons=REASONS,
        next_path=local_path(next_path),
    )


@router.post("/console/verdicts")
async def give_several(
    request: Request,
    visitor: Reviewer,
    dependencies: CurrentDependencies,
    label: Annotated[Label, Form()],
    items: Annotated[Items, Form(alias="item")],
    rationale: Annotated[str, Form()] = "",
    next_path: Annotated[str, Form(alias="next")] = QUEUE,
) -> Response:
    """Store a verdict on several transactions, but those that somebody else decided since."""
    reason = rationale_or(rationale, _sentence(request, label))
    verdicts = given([Item.parse(one) for one in items], label, reason)
    results = await dependencies.run(
        give_verdicts, visitor.tenant_id, verdicts, actor=visitor.actor
    )
    if "application/json" not in request.headers.get("accept", ""):
        return _page_after(request, visitor, results, next_path)
    text = partial(translate, language_of(request))
    rows = {
        str(one.given.transaction_id): {
            **row_state(None, one.latest, visitor.signed_in.user.id, text),
            "stored": one.is_stored,
        }
        for one in results
    }
    return JSONResponse({"rows": rows}, headers=PAGE_HEADERS)


def _sentence(request: Request, label: Label) -> str:
    return translate(language_of(request), f"verdicts.sentence.{label}")


def _page_after(
    request: Request, visitor: Reviewer, results: list[VerdictResult], next_path: str
) -> Response:
    refused = [one for one in results if not one.is_stored]
    if not refused:
        return RedirectResponse(local_path(next_path), HTTPStatus.SEE_OTHER)
    return render(
        request,
        "verdicts/conflict.html.j2",
        visitor,
        status=HTTPStatus.CONFLICT,
        refused=refused,
        stored=len(results) - len(refused),
        next_path=local_path(next_path),
    )
