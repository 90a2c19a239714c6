"""The rules routes: conditions that decide beside the model."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request
from sqlalchemy import Connection, Engine
from starlette.responses import Response

from api.dependencies import (
    ADMIN_WITHOUT_PARAMETERS,
    REVIEWER_WITHOUT_PARAMETERS,
    Admin,
    CurrentDependencies,
    Reviewer,
)
from api.idempotency import IDEMPOTENT, REPLAYED_HEADER, write
from api.models.effective_policy import read_deployment
from api.openapi_responses import ANYWHERE, WITH_BODY, problems, reply
from api.request_body import BodyReader, JsonBody
from api.rules import examples
from api.rules.changes import make_rule, make_version
from api.rules.reading import costs_in_force, read_rules_with_figures
from api.rules.responses import rule_detail_out, rule_out, snooze_out
from api.rules.schemas import (
    EndedOut,
    RuleChangeIn,
    RuleDetailOut,
    RuleIn,
    RuleOut,
    RulesOut,
    RulesQuery,
    SnoozeIn,
    SnoozeOut,
)
from persistence.rules.checking import check_entity
from persistence.rules.rules import rule_versions
from persistence.rules.snoozes import add_snooze, end_snooze, going_on
from persistence.tenancy import tenant_transaction
from scoring.errors import FieldError, IdempotencyMismatch, invalid_request

router = APIRouter(tags=["Rules"])

RuleId = Annotated[int, Path(alias="id", ge=1, le=2**31 - 1, description="`id` of a rule")]
SnoozeId = Annotated[int, Path(ge=1, le=2**31 - 1, description="`id` of a snooze")]


@router.get(
    "/rules",
    operation_id="read_rules",
    summary="Every rule, and what it did day by day",
    responses={
        **problems(*ANYWHERE),
        200: reply(description="the rules in force", one_that_is_live=examples.RULES),
    },
)
async def read_rules(
    query: Annotated[RulesQuery, Query()], caller: Reviewer, dependencies: CurrentDependencies
) -> RulesOut:
    """Fires, precision on the labels that are known, and money at your costs, live and in shadow.

    A rule that no longer fits has a `problem`, and fails for every payment. Scope: review.
    """
    deployment = await dependencies.run(read_deployment, caller.tenant_id)
    return await dependencies.run(
        read_rules_with_figures,
        caller.tenant_id,
        query.window_days,
        costs_in_force(deployment),
        datetime.now(UTC),
    )


@router.post(
    "/rules",
    operation_id="create_rule",
    summary="Make a rule",
    status_code=201,
    responses={
        **problems(409, *WITH_BODY, *ANYWHERE, IdempotencyMismatch),
        201: {
            **reply(description="in force", one_in_shadow=examples.RULE),
            "headers": REPLAYED_HEADER,
        },
    },
    openapi_extra=IDEMPOTENT,
    response_model=RuleOut,
    dependencies=ADMIN_WITHOUT_PARAMETERS,
)
async def post_rule(
    read_rule: Annotated[
        BodyReader[RuleIn],
        Depends(JsonBody(RuleIn, {"large_transfers": examples.LARGE_TRANSFERS})),
    ],
    caller: Admin,
    dependencies: CurrentDependencies,
    request: Request,
) -> Response:
    """In force in every process within a second. Without `state` it is in shadow. Scope: admin."""
    body = await read_rule()

    def create(connection: Connection) -> RuleOut:
        return rule_out(make_rule(connection, caller.tenant_id, body, caller.actor))

    made = await write(dependencies, request, caller, body, create, status=201)
    await dependencies.refresh_settings(caller.tenant_id)
    return made


@router.get(
    "/rules/{id:int}",  # so that /rules/backtest is no rule
    operation_id="read_rule",
    summary="Every version of a rule",
    responses={
        **problems(404, *ANYWHERE),
        200: reply(description="its versions, the newest first", one_in_shadow=examples.DETAIL),
    },
    dependencies=REVIEWER_WITHOUT_PARAMETERS,
)
async def read_rule_versions(
    rule_id: RuleId, caller: Reviewer, dependencies: CurrentDependencies
) -> RuleDetailOut:
    """Stored decisions name the version that was in force for them. Scope: review."""

    def read(engine: Engine) -> RuleDetailOut:
        with tenant_transaction(engine, caller.tenant_id) as connection:
            return rule_detail_out(
                rule_versions(connection, caller.tenant_id, rule_id),
                going_on(connection, caller.tenant_id),
            )

    return await dependencies.run(read)


@router.put(
    "/rules/{id:int}",  # so that /rules/backtest is no rule
    operation_id="change_rule",
    summary="Put another version of a rule in force",
    responses={
        **problems(404, 409, *WITH_BODY, *ANYWHERE, IdempotencyMismatch),
        200: {
            **reply(description="in force", one_in_shadow=examples.RULE),
            "headers": REPLAYED_HEADER,
        },
    },
    openapi_extra=IDEMPOTENT,
    response_model=RuleOut,
    dependencies=ADMIN_WITHOUT_PARAMETERS,
)
async def put_rule(
    rule_id: RuleId,
    read_change: Annotated[
        BodyReader[RuleChangeIn], Depends(JsonBody(RuleChangeIn, {"to_live": examples.TO_LIVE}))
    ],
    caller: Admin,
    dependencies: CurrentDependencies,
    request: Request,
) -> Response:
    """Earlier versions stay. `version` is refused where a newer one is in force. Scope: admin."""
    body = await read_change()

    def change(connection: Connection) -> RuleOut:
        stored = make_version(connection, caller.tenant_id, rule_id, body, caller.actor)
        return rule_out(stored)

    changed = await write(dependencies, request, caller, body, change)
    await dependencies.refresh_settings(caller.tenant_id)
    return changed


@router.post(
    "/rules/{id}/snoozes",
    operation_id="snooze_rule",
    summary="Keep a rule from acting on one entity until a time",
    status_code=201,
    responses={
        **problems(404, 409, *WITH_BODY, *ANYWHERE, IdempotencyMismatch),
        201: {
            **reply(description="in force", a_known_customer=examples.SNOOZE),
            "headers": REPLAYED_HEADER,
        },
    },
    openapi_extra=IDEMPOTENT,
    response_model=SnoozeOut,
    dependencies=REVIEWER_WITHOUT_PARAMETERS,
)
async def post_snooze(
    rule_id: RuleId,
    read_snooze: Annotated[
        BodyReader[SnoozeIn],
        Depends(JsonBody(SnoozeIn, {"a_known_customer": examples.A_KNOWN_CUSTOMER})),
    ],
    caller: Reviewer,
    dependencies: CurrentDependencies,
    request: Request,
) -> Response:
    """The rule is evaluated and its hit stored as snoozed. Scope: review."""
    body = await read_snooze()
    if body.until <= datetime.now(UTC):
        raise invalid_request([FieldError("until", "must be later than now")])

    def add(connection: Connection) -> SnoozeOut:
        check_entity(connection, caller.tenant_id, body.entity)
        stored = add_snooze(
            connection,
            caller.tenant_id,
            rule_id,
            entity=body.entity,
            value=body.value,
            until=body.until,
            reason=body.reason,
            actor=caller.actor,
        )
        return snooze_out(stored)

    made = await write(dependencies, request, caller, body, add, status=201)
    await dependencies.refresh_settings(caller.tenant_id)
    return made


@router.delete(
    "/rules/{id}/snoozes/{snooze_id}",
    operation_id="end_snooze",
    summary="End a snooze before its time",
    responses={
        **problems(404, 409, *ANYWHERE, IdempotencyMismatch),
        200: {**reply(description="ended", ended={"ended": True}), "headers": REPLAYED_HEADER},
    },
    openapi_extra=IDEMPOTENT,
    response_model=EndedOut,
    dependencies=REVIEWER_WITHOUT_PARAMETERS,
)
async def delete_snooze(
    rule_id: RuleId,
    snooze_id: SnoozeId,
    caller: Reviewer,
    dependencies: CurrentDependencies,
    request: Request,
) -> Response:
    """The rule acts on the entity again. Scope: review."""

    def end(connection: Connection) -> EndedOut:
        end_snooze(connection, caller.tenant_id, rule_id, snooze_id)
        return EndedOut(ended=True)

    ended = await write(dependencies, request, caller, None, end)
    await dependencies.refresh_settings(caller.tenant_id)
    return ended
