"""The page of one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from uuid import UUID

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from api.dependencies import CurrentDependencies
from console.access import Reviewer
from console.entity.score_chart import score_chart
from console.event_values import entity_path, shown_values
from console.lists.entry_form import EXPIRIES
from console.page_route import PageRoute
from console.reasons import factor_text, shown_reasons
from console.rendering import formats_of, render
from console.transaction.feature_values import feature_values
from console.transaction.labels import other_labels
from console.transaction.score_scale import score_scale
from console.transaction.similar import similar_events
from console.transaction.waterfall import waterfall
from console.transaction.what_if import find_what_if
from persistence.access_log import transaction_object
from persistence.cases.links import cases_of_event
from persistence.entities.events import EntityEvent, decided_at
from persistence.entities.surroundings import read_surroundings
from persistence.review.assignments import claim
from persistence.review.audit import AuditFilter, read_accesses, read_changes
from persistence.review.worklist import read_case

router = APIRouter(include_in_schema=False, route_class=PageRoute)

SHOWN_EVENTS = 5
"""Events of each entity, nearest to the transaction, that are listed below their chart."""
MAX_ENTRIES = 20
"""Entries of the audit log and of the access log that the page shows."""


@router.get("/console/transactions/{transaction_id}")
async def transaction_page(
    request: Request,
    visitor: Reviewer,
    dependencies: CurrentDependencies,
    transaction_id: UUID,
    what_if: bool = False,
) -> Response:
    """Show a transaction with its decision as it was made, and what stands around it.

    With `what_if` it shows what would have had to differ also where that takes long.
    """
    tenant_id = visitor.tenant_id
    case = await dependencies.run(read_case, tenant_id, transaction_id, reader=visitor.actor)
    decided, user = case.decided, visitor.signed_in.user
    # What is settled or was approved waits for nobody.
    waits = case.undecided and decided.prediction.decision == "review"
    claimed = await dependencies.run(claim, transaction_id, user) if waits else None
    around = await dependencies.run(read_surroundings, tenant_id, decided)
    of_this = AuditFilter(object=transaction_object(transaction_id))
    changes = await dependencies.run(read_changes, tenant_id, of_this, limit=MAX_ENTRIES)
    readings = None
    if visitor.may("admin"):
        found = await dependencies.run(read_accesses, tenant_id, of_this, limit=MAX_ENTRIES)
        readings = found.entries
    formats = formats_of(request, visitor)
    return render(
        request,
        "transaction/transaction.html.j2",
        visitor,
        case=case,
        other=claimed if claimed and claimed.user_id != user.id else None,
        decided_at=decided_at(transaction_id),
        values=shown_values(decided.transaction, formats),
        reasons=shown_reasons(decided.prediction, formats),
        factor=partial(factor_text, formats=formats),
        what_if=await find_what_if(dependencies, decided.prediction, is_asked_for=what_if),
        scale=score_scale(decided.prediction),
        waterfall=waterfall(decided.prediction),
        features=feature_values(decided.prediction, around.earlier, formats),
        earlier=len(around.earlier),
        around=around,
        nearest=[_nearest(one.events, transaction_id) for one in around.histories],
        charts=[score_chart(one.events, transaction_id) for one in around.histories],
        paths=[entity_path(one.entity, one.key) for one in around.histories],
        similar=similar_events(transaction_id, decided.transaction.amount, around.histories),
        cases=await dependencies.run(cases_of_event, tenant_id, transaction_id),
        labels=other_labels(case),
        changes=changes.entries,
        readings=readings,
        here=f"/console/transactions/{transaction_id}",
        expiries=EXPIRIES,
    )


def _nearest(events: Sequence[EntityEvent], here: UUID) -> Sequence[EntityEvent]:
    """Return the events around one of them: as many before it as after it, where there are."""
    place = next((i for i, event in enumerate(events) if event.id == here), 0)
    first = max(0, min(place - SHOWN_EVENTS // 2, len(events) - SHOWN_EVENTS))
    return events[first : first + SHOWN_EVENTS]
