"""The pages of rules: all of them, and one with its figures, its switch and its history."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Annotated, NamedTuple

from fastapi import APIRouter, Path
from sqlalchemy import Engine
from starlette.requests import Request
from starlette.responses import Response

from api.dependencies import ApiDependencies, CurrentDependencies
from api.models.effective_policy import read_deployment
from api.rules.reading import costs_in_force, with_figures
from api.rules.schemas import RuleInForceOut, RulesOut
from console.access import Reviewer, Visitor
from console.event_values import entity_path
from console.page_route import PageRoute
from console.rendering import render
from console.rules.figures import DAYS, bars, sums
from console.rules.form import Problems
from console.rules.history import steps
from persistence.rules.figures import RuleFigures, rule_figures
from persistence.rules.in_force import StoredRule
from persistence.rules.names import event_type_in_force
from persistence.rules.rules import rule_versions
from persistence.tenancy import tenant_transaction

router = APIRouter(include_in_schema=False, route_class=PageRoute)

RuleId = Annotated[int, Path(alias="id", ge=1, le=2**31 - 1)]
SNOOZES = {"1": 1, "7": 7, "30": 30, "90": 90}
"""Lengths of a snooze, days, by the choice's name."""
_PATIENCE_S = 0.03
"""Time for which a page waits for figures before it is shown without them, and asks for them."""
_DONE = ("created", "changed", "switched", "snoozed", "ended")


class RulePage(NamedTuple):
    """What the page of a rule shows beside its figures.

    Attributes:
        versions: versions, the newest first.
        entities: kinds of entities of the tenant's event type.
    """

    versions: list[StoredRule]
    entities: list[str]


@router.get("/console/rules")
async def rules_page(
    request: Request, visitor: Reviewer, dependencies: CurrentDependencies, wait: bool = False
) -> Response:
    """Show every rule, and what it did in the last days."""
    found, has_figures = await _read_rules(dependencies, visitor.tenant_id, wait=wait)
    return render(
        request,
        "rules/rules.html.j2",
        visitor,
        rules=[(rule, sums(rule.days)) for rule in found.rules],
        has_figures=has_figures,
        truncated=found.truncated,
        days=DAYS,
    )


@router.get("/console/rules/{id:int}")
async def rule_page(
    request: Request,
    visitor: Reviewer,
    dependencies: CurrentDependencies,
    rule_id: RuleId,
    done: str = "",
    wait: bool = False,
) -> Response:
    """Show a rule: what it did, its switch, its snoozes and its versions."""
    return await show_rule(request, visitor, dependencies, rule_id, done=done, wait=wait)


async def show_rule(
    request: Request,
    visitor: Visitor,
    dependencies: ApiDependencies,
    rule_id: int,
    *,
    done: str = "",
    wait: bool = False,
    problems: Problems | None = None,
    typed: dict[str, str] | None = None,
) -> Response:
    """Return the page of a rule.

    Args:
        request: request that the page answers.
        visitor: who is signed in.
        dependencies: what the routes use.
        rule_id: rule.
        done: what was just done, one of `_DONE`; anything else is not shown.
        wait: whether the page waits for its figures however long they take.
        problems: what is wrong with a form of the page that was sent.
        typed: what was typed into it.

    Raises:
        NotFound: there is no such rule.
    """

    def read(engine: Engine) -> RulePage:
        with tenant_transaction(engine, visitor.tenant_id) as connection:
            versions = rule_versions(connection, visitor.tenant_id, rule_id)
            event_type = event_type_in_force(connection, visitor.tenant_id)
        entities = {field.entity for field in event_type.kept.values() if field.entity}
        return RulePage(versions, sorted(entities))

    found = await dependencies.run(read)
    rules, has_figures = await _read_rules(dependencies, visitor.tenant_id, wait=wait)
    rule: RuleInForceOut = next(one for one in rules.rules if one.id == rule_id)
    return render(
        request,
        "rules/rule.html.j2",
        visitor,
        status=422 if problems else 200,
        rule=rule,
        has_figures=has_figures,
        sums=sums(rule.days),
        bars=bars(rule.days, datetime.now(UTC).date()),
        days=DAYS,
        truncated=rules.truncated,
        steps=steps(found.versions),
        entities=found.entities,
        entity_path=entity_path,
        snooze_days=SNOOZES,
        done=done if done in _DONE else "",
        problems=problems or Problems(),
        typed=typed or {},
    )


async def _read_rules(
    dependencies: ApiDependencies, tenant_id: int, *, wait: bool
) -> tuple[RulesOut, bool]:
    """Return every rule with its figures, and whether there are figures yet.

    Requests share the figures for half a minute; reading them goes on when a page is shown without.
    """
    deployment = await dependencies.run(read_deployment, tenant_id)
    now = datetime.now(UTC)
    # The end of the minute, so that the figures of one request are those of the next ones too.
    as_of = now.replace(second=0, microsecond=0) + timedelta(minutes=1)
    reading = dependencies.run_cached(rule_figures, tenant_id, float(DAYS), as_of)
    try:
        figures = await asyncio.wait_for(reading, None if wait else _PATIENCE_S)
    except TimeoutError:
        figures = None
    shown = RuleFigures({}, truncated=False) if figures is None else figures
    costs = costs_in_force(deployment)
    rules = await dependencies.run(with_figures, tenant_id, shown, costs, now)
    return rules, figures is not None
