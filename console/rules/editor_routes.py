"""The form of a rule: a new one or a change, tried on past decisions before it is saved."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, NamedTuple

from fastapi import APIRouter, Form
from sqlalchemy import Engine
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from api.dependencies import ApiDependencies, CurrentDependencies
from api.rules.changes import make_rule, make_version
from console.access import Admin, Reviewer, Visitor
from console.page_route import PageRoute
from console.rendering import render
from console.rules.condition_names import ConditionNames, condition_names
from console.rules.form import Problems, RuleForm, reason_given
from console.rules.routes import RuleId
from console.rules.trying import DEFAULT_SPAN, MOST_DECISIONS, SPANS, TriedRule, try_rule
from persistence.rules.in_force import StoredRule
from persistence.rules.names import event_type_in_force, names_of_conditions
from persistence.rules.rules import rule_versions
from persistence.tenancy import tenant_transaction
from scoring.errors import InvalidRequest

router = APIRouter(include_in_schema=False, route_class=PageRoute)

Sent = Annotated[RuleForm, Form()]


class _Around(NamedTuple):
    """What the form shows around what was typed: the version in force, and usable names."""

    in_force: StoredRule | None
    names: ConditionNames


@router.get("/console/rules/new")
async def new_rule_page(
    request: Request, visitor: Reviewer, dependencies: CurrentDependencies
) -> Response:
    """Show an empty form."""
    return await _form(request, visitor, dependencies, None, RuleForm())


@router.post("/console/rules/try")
async def try_new_rule(
    request: Request, visitor: Reviewer, dependencies: CurrentDependencies, form: Sent
) -> Response:
    """Show what a new rule would have done; stores nothing."""
    return await _tried(request, visitor, dependencies, None, form)


@router.post("/console/rules/new")
async def save_new_rule(
    request: Request, visitor: Admin, dependencies: CurrentDependencies, form: Sent
) -> Response:
    """Store a new rule, whose figures the person has seen."""
    if form.tried != form.digest:
        return await _tried(request, visitor, dependencies, None, form, saving=True)

    def save(engine: Engine) -> int:
        content = form.content()
        with tenant_transaction(engine, visitor.tenant_id, actor=visitor.actor) as connection:
            return make_rule(connection, visitor.tenant_id, content, visitor.actor).rule.id

    try:
        rule_id = await dependencies.run(save)
    except InvalidRequest as error:
        return await _form(request, visitor, dependencies, None, form, problems=Problems.of(error))
    await dependencies.refresh_settings(visitor.tenant_id)
    return RedirectResponse(f"/console/rules/{rule_id}?done=created", HTTPStatus.SEE_OTHER)


@router.get("/console/rules/{id:int}/edit")
async def edit_rule_page(
    request: Request, visitor: Reviewer, dependencies: CurrentDependencies, rule_id: RuleId
) -> Response:
    """Show the form with the version in force."""
    return await _form(request, visitor, dependencies, rule_id, None)


@router.post("/console/rules/{id:int}/try")
async def try_change(
    request: Request,
    visitor: Reviewer,
    dependencies: CurrentDependencies,
    rule_id: RuleId,
    form: Sent,
) -> Response:
    """Show what a change would have done; stores nothing."""
    return await _tried(request, visitor, dependencies, rule_id, form)


@router.post("/console/rules/{id:int}/edit")
async def save_change(
    request: Request,
    visitor: Admin,
    dependencies: CurrentDependencies,
    rule_id: RuleId,
    form: Sent,
) -> Response:
    """Store another version; one that decides otherwise only when its figures were seen."""
    around = await dependencies.run(_read_around, visitor.tenant_id, rule_id)
    assert around.in_force is not None  # noqa: S101 - a rule has a version in force
    if form.tried != form.digest != RuleForm.of(around.in_force.rule).digest:
        return await _tried(request, visitor, dependencies, rule_id, form, saving=True)

    def save(engine: Engine) -> None:
        change = form.change()
        reason = reason_given(form.reason)
        with tenant_transaction(engine, visitor.tenant_id, actor=visitor.actor) as connection:
            make_version(connection, visitor.tenant_id, rule_id, change, visitor.actor, reason)

    try:
        await dependencies.run(save)
    except InvalidRequest as error:
        return await _form(
            request, visitor, dependencies, rule_id, form, problems=Problems.of(error)
        )
    await dependencies.refresh_settings(visitor.tenant_id)
    return RedirectResponse(f"/console/rules/{rule_id}?done=changed", HTTPStatus.SEE_OTHER)


async def _tried(
    request: Request,
    visitor: Visitor,
    dependencies: ApiDependencies,
    rule_id: int | None,
    form: RuleForm,
    *,
    saving: bool = False,
) -> Response:
    """Return the form with the figures of what was typed.

    Args:
        request: request that the page answers.
        visitor: who is signed in.
        dependencies: what the routes use.
        rule_id: rule that changes; None for a new one.
        form: what was typed.
        saving: whether the person meant to save it, and has to see the figures first.
    """
    around = await dependencies.run(_read_around, visitor.tenant_id, rule_id)
    # A try needs no name yet; the form asks for one when it is saved.
    named = form if form.name.strip() or saving else form.model_copy(update={"name": "-"})
    try:
        content = named.content()
    except InvalidRequest as error:
        problems = Problems.of(error)
        return await _form(request, visitor, dependencies, rule_id, form, problems=problems)
    in_force = around.in_force.rule if around.in_force else None
    tried = await try_rule(dependencies, visitor.tenant_id, content, in_force, form.days)
    return await _form(
        request,
        visitor,
        dependencies,
        rule_id,
        form,
        problems=tried.problems,
        tried=tried,
        saving=saving,
    )


async def _form(
    request: Request,
    visitor: Visitor,
    dependencies: ApiDependencies,
    rule_id: int | None,
    form: RuleForm | None,
    *,
    problems: Problems | None = None,
    tried: TriedRule | None = None,
    saving: bool = False,
) -> Response:
    around = await dependencies.run(_read_around, visitor.tenant_id, rule_id)
    if form is None:
        assert around.in_force is not None  # noqa: S101 - the page of a rule
        form = RuleForm.of(around.in_force.rule)
    problems = problems or Problems()
    seen = tried is not None and not problems.fields
    return render(
        request,
        "rules/editor.html.j2",
        visitor,
        status=422 if problems.fields else 200,
        rule=around.in_force,
        form=form,
        names=around.names,
        problems=problems,
        tried=tried if seen else None,
        digest=form.digest if seen else form.tried,
        saving=saving and seen,
        spans=SPANS,
        span=form.days if form.days in SPANS else DEFAULT_SPAN,
        most=MOST_DECISIONS,
        may_save=visitor.may("admin"),
        base="/console/rules" if rule_id is None else f"/console/rules/{rule_id}",
    )


def _read_around(engine: Engine, tenant_id: int, rule_id: int | None) -> _Around:
    with tenant_transaction(engine, tenant_id) as connection:
        in_force = None
        if rule_id is not None:
            in_force = rule_versions(connection, tenant_id, rule_id)[0]
        schema = names_of_conditions(connection, tenant_id)
        return _Around(
            in_force, condition_names(schema, event_type_in_force(connection, tenant_id))
        )
