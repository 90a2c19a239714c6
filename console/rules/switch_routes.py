"""The switch of a rule, and the entities on which it does not act for a while."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Form, Path
from pydantic import ValidationError
from sqlalchemy import Engine
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from api.dependencies import CurrentDependencies
from api.rules.changes import make_version
from api.rules.schemas import RuleChangeIn, SnoozeIn
from console.access import Admin, Reviewer
from console.page_route import PageRoute
from console.rules.form import Problems, reason_given
from console.rules.routes import SNOOZES, RuleId, show_rule
from persistence.rules.checking import check_entity
from persistence.rules.snoozes import add_snooze, end_snooze
from persistence.tenancy import tenant_transaction
from scoring.errors import FieldError, InvalidRequest, invalid_request
from web.problems import invalid_body

router = APIRouter(include_in_schema=False, route_class=PageRoute)

SnoozeId = Annotated[int, Path(ge=1, le=2**31 - 1)]


@router.post("/console/rules/{id:int}/state")
async def switch_rule(
    request: Request,
    visitor: Admin,
    dependencies: CurrentDependencies,
    rule_id: RuleId,
    state: Annotated[str, Form()] = "",
    version: Annotated[int, Form(ge=0, le=2**31 - 1)] = 0,
    reason: Annotated[str, Form()] = "",
) -> Response:
    """Put a rule live, in shadow or off, with a reason."""

    def switch(engine: Engine) -> None:
        try:
            change = RuleChangeIn.model_validate({"version": max(1, version), "state": state})
        except ValidationError as error:
            raise invalid_body(error) from error
        why = reason_given(reason)
        if why is None:
            raise invalid_request([FieldError("reason", "is missing")])
        with tenant_transaction(engine, visitor.tenant_id, actor=visitor.actor) as connection:
            make_version(connection, visitor.tenant_id, rule_id, change, visitor.actor, why)

    try:
        await dependencies.run(switch)
    except InvalidRequest as error:
        typed = {"state": state, "reason": reason}
        return await show_rule(
            request, visitor, dependencies, rule_id, problems=Problems.of(error), typed=typed
        )
    await dependencies.refresh_settings(visitor.tenant_id)
    return RedirectResponse(f"/console/rules/{rule_id}?done=switched", HTTPStatus.SEE_OTHER)


@router.post("/console/rules/{id:int}/snoozes")
async def snooze_rule(
    request: Request,
    visitor: Reviewer,
    dependencies: CurrentDependencies,
    rule_id: RuleId,
    entity: Annotated[str, Form()] = "",
    value: Annotated[str, Form()] = "",
    days: Annotated[str, Form()] = "",
    reason: Annotated[str, Form()] = "",
) -> Response:
    """Keep the rule from acting on one entity for some days."""

    def snooze(engine: Engine) -> None:
        until = datetime.now(UTC) + timedelta(days=SNOOZES.get(days, min(SNOOZES.values())))
        try:
            asked = SnoozeIn(entity=entity, value=value.strip(), until=until, reason=reason.strip())
        except ValidationError as error:
            raise invalid_body(error) from error
        with tenant_transaction(engine, visitor.tenant_id, actor=visitor.actor) as connection:
            check_entity(connection, visitor.tenant_id, asked.entity)
            add_snooze(
                connection,
                visitor.tenant_id,
                rule_id,
                entity=asked.entity,
                value=asked.value,
                until=asked.until,
                reason=asked.reason,
                actor=visitor.actor,
            )

    try:
        await dependencies.run(snooze)
    except InvalidRequest as error:
        found = Problems.of(error)
        problems = Problems({f"snooze_{name}": text for name, text in found.fields.items()})
        typed = {
            "entity": entity, "value": value, "days": days, "snooze_reason": reason,
        }  # fmt: skip
        return await show_rule(
            request, visitor, dependencies, rule_id, problems=problems, typed=typed
        )
    await dependencies.refresh_settings(visitor.tenant_id)
    return RedirectResponse(f"/console/rules/{rule_id}?done=snoozed", HTTPStatus.SEE_OTHER)


@router.post("/console/rules/{id:int}/snoozes/{snooze_id}/end")
async def end_snooze_of_rule(
    visitor: Reviewer, dependencies: CurrentDependencies, rule_id: RuleId, snooze_id: SnoozeId
) -> Response:
    """End a snooze before its time."""

    def end(engine: Engine) -> None:
        with tenant_transaction(engine, visitor.tenant_id, actor=visitor.actor) as connection:
            end_snooze(connection, visitor.tenant_id, rule_id, snooze_id)

    await dependencies.run(end)
    await dependencies.refresh_settings(visitor.tenant_id)
    return RedirectResponse(f"/console/rules/{rule_id}?done=ended", HTTPStatus.SEE_OTHER)
