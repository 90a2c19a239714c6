"""The page of an entity, and the changes of the lists that hold it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Form
from sqlalchemy import Engine
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from api.dependencies import ApiDependencies, CurrentDependencies
from console.access import Reviewer, Visitor
from console.entity.score_chart import score_chart
from console.entity.totals import MAX_COUNTERPARTIES, counterparties, totals
from console.event_values import entity_path
from console.formats import utc_now
from console.lists.entry_form import EXPIRIES, expiry_of
from console.page_route import PageRoute, local_path
from console.rendering import render
from persistence.cases.links import cases_of_entity
from persistence.entities.profile import MAX_EVENTS, read_profile
from persistence.rules.entries import add_entries, remove_entries
from persistence.rules.memberships import lists_of_entity
from persistence.tenancy import tenant_transaction
from scoring.errors import FieldError, InvalidRequest, NotFound, invalid_request
from scoring.event_type.fields import EventType
from scoring.lists.entry_rows import NewEntry, entity_fault, reason_fault

router = APIRouter(include_in_schema=False, route_class=PageRoute)

PAGE_EVENTS = 20


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A change of a list, as it was written into the form."""

    change: str
    list_name: str
    reason: str
    days: str


@router.get("/console/entities/{entity}/{key:path}")
async def entity_page(
    request: Request,
    visitor: Reviewer,
    dependencies: CurrentDependencies,
    entity: str,
    key: str,
    before: UUID | None = None,
) -> Response:
    """Show an entity: what is known of it, the lists that hold it, and its events by page."""
    return await _page(request, visitor, dependencies, entity, key, before=before)


@router.post("/console/entities/{entity}/{key:path}")
async def change_lists(
    request: Request,
    visitor: Reviewer,
    dependencies: CurrentDependencies,
    entity: str,
    key: str,
    change: Annotated[Literal["add", "remove"], Form()],
    list_name: Annotated[str, Form(alias="list")] = "",
    reason: Annotated[str, Form()] = "",
    days: Annotated[str, Form()] = "",
    next_page: Annotated[str, Form(alias="next")] = "",
) -> Response:
    """Put an entity into a list, or take it out; in force before the next payment is decided."""
    wanted = _Wanted(change, list_name, reason.strip(), days)
    try:
        await dependencies.run(_change, visitor, entity, key, wanted)
    except InvalidRequest as error:
        faults = {fault.field: fault.message for fault in error.errors}
        return await _page(
            request, visitor, dependencies, entity, key, faults=faults, wanted=wanted
        )
    await dependencies.refresh_settings(visitor.tenant_id)
    target = local_path(next_page) if next_page else entity_path(entity, key)
    return RedirectResponse(target, HTTPStatus.SEE_OTHER)


def _change(engine: Engine, visitor: Visitor, entity: str, key: str, wanted: _Wanted) -> None:
    tenant_id = visitor.tenant_id
    with tenant_transaction(engine, tenant_id, actor=visitor.actor) as connection:
        known = {one.name for one in lists_of_entity(connection, tenant_id, entity)}
        if wanted.list_name not in known:
            raise invalid_request([FieldError("list", f"must be a list of {entity}")])
        if wanted.change == "remove":
            removed, _ = remove_entries(connection, tenant_id, wanted.list_name, [key])
            if not removed:
                raise NotFound(f"The list {wanted.list_name} does not hold {key} any more.")
            return
        entry = _entry(key, wanted)
        add_entries(connection, tenant_id, wanted.list_name, [entry], visitor.actor)


def _entry(key: str, wanted: _Wanted) -> NewEntry:
    faults = {
        "value": entity_fault(key),
        "reason": reason_fault(wanted.reason),
        "days": None
        if wanted.days in EXPIRIES
        else f"must be one of {', '.join(filter(None, EXPIRIES))}",
    }
    found = [FieldError(field, fault) for field, fault in faults.items() if fault]
    if found:
        raise invalid_request(found)
    return NewEntry(key, wanted.reason, expiry_of(wanted.days, utc_now()))


async def _page(
    request: Request,
    visitor: Visitor,
    dependencies: ApiDependencies,
    entity: str,
    key: str,
    *,
    before: UUID | None = None,
    faults: Mapping[str, str] | None = None,
    wanted: _Wanted | None = None,
) -> Response:
    profile = await dependencies.run(
        read_profile,
        visitor.tenant_id,
        entity,
        key,
        reader=visitor.actor,
        limit=PAGE_EVENTS,
        before=before,
    )
    others = counterparties(key, profile.places, profile.event_type, profile.events)
    return render(
        request,
        "entity/entity.html.j2",
        visitor,
        status=HTTPStatus.UNPROCESSABLE_ENTITY if faults else HTTPStatus.OK,
        profile=profile,
        cases=await dependencies.run(cases_of_entity, visitor.tenant_id, entity, key),
        most=MAX_EVENTS,
        before=before,
        first=profile.first,
        totals=totals(profile, utc_now()),
        chart=score_chart(profile.events),
        counterparties=others[:MAX_COUNTERPARTIES],
        more_counterparties=max(0, len(others) - MAX_COUNTERPARTIES),
        party_path=partial(_party_path, profile.event_type, {one.path for one in others}),
        faults=faults or {},
        wanted=wanted,
        here=entity_path(entity, key),
        expiries=EXPIRIES,
    )


def _party_path(
    event_type: EventType, known: Collection[str], role: Literal["payer", "payee"], key: str | None
) -> str | None:
    """Return the address of who paid or received; None where it is no counterparty.

    Args:
        event_type: event type in force.
        known: addresses of the counterparties.
        role: side of the payment.
        key: entity on that side; None: nobody.
    """
    field = event_type.kept.get(event_type.roles.get(role, ""))
    if field is None or field.entity is None or key is None:
        return None
    path = entity_path(field.entity, key)
    return path if path in known else None
