"""The backtest route: a rule, rules, a list, thresholds or a version on stored decisions."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from sqlalchemy import Engine

from api.dependencies import REVIEWER_WITHOUT_PARAMETERS, CurrentDependencies, Reviewer
from api.models.effective_policy import read_deployment
from api.openapi_responses import ANYWHERE, WITH_BODY, problems, reply
from api.request_body import BodyReader, JsonBody
from api.rules import examples
from api.rules.backtest_responses import backtest_out, suggestions_out
from api.rules.backtest_schemas import (
    WINDOW_DAYS,
    BacktestIn,
    BacktestOut,
    ListTriedIn,
    SuggestionsOut,
    SuggestionsQuery,
)
from persistence.labels.reader import MATURITY_DAYS
from persistence.rules.backtesting import History, try_on_history
from persistence.rules.suggesting import suggest_on_history
from persistence.rules.tried import (
    ListTried,
    RulesTried,
    RuleTried,
    StoredListTried,
    Tried,
    VersionTried,
)
from scoring.backtest.backtest import NoDecisions
from scoring.errors import FieldError, NoModel, invalid_request
from scoring.policy import Thresholds

router = APIRouter(tags=["Rules"])

_BODY = JsonBody(
    BacktestIn,
    {
        "a_rule": examples.A_RULE_TRIED,
        "two_thresholds": examples.THRESHOLDS_TRIED,
        "a_model_version": examples.VERSION_TRIED,
    },
)


@router.post(
    "/rules/backtest",
    operation_id="backtest_rules",
    summary="Try a change of rules, lists, thresholds or model on history",
    responses={
        **problems(*WITH_BODY, *ANYWHERE, NoModel),
        200: reply(description="figures against what was decided", a_rule=examples.BACKTEST),
    },
    dependencies=REVIEWER_WITHOUT_PARAMETERS,
)
async def backtest(
    read_tried: Annotated[BodyReader[BacktestIn], Depends(_BODY)],
    caller: Reviewer,
    dependencies: CurrentDependencies,
) -> BacktestOut:
    """On the latest 200,000 mature decisions, at your costs. Stores nothing. Scope: review.

    A window that no rule had while a decision was made is not known for it: run the rule in shadow
    for a while, or try a feature.
    """
    body = await read_tried()
    tried = _tried(body)
    as_of = body.as_of or datetime.now(UTC)
    if as_of > datetime.now(UTC):
        raise invalid_request([FieldError("as_of", "must not be later than now")])
    maturity_days = MATURITY_DAYS if body.maturity_days is None else body.maturity_days
    history = History(maturity_days, body.window_days or WINDOW_DAYS, as_of)
    deployment = await dependencies.run(read_deployment, caller.tenant_id)
    costs = deployment.effective_policy().policy.cost_model

    def run(engine: Engine) -> BacktestOut:
        try:
            tested = try_on_history(engine, caller.tenant_id, tried, costs, history)
        except NoDecisions as error:
            message = f"leaves no decision to look at: {error}"
            raise invalid_request([FieldError("maturity_days", message)]) from error
        return backtest_out(tested, costs, as_of)

    return await dependencies.run_expensive(run)


@router.get(
    "/rules/suggestions",
    operation_id="suggest_rules",
    summary="Up to three rules that the labels suggest",
    responses={
        **problems(*ANYWHERE, NoModel),
        200: reply(description="rules with their figures", one_rule=examples.SUGGESTIONS),
    },
)
async def read_suggestions(
    query: Annotated[SuggestionsQuery, Query()],
    caller: Reviewer,
    dependencies: CurrentDependencies,
) -> SuggestionsOut:
    """From a shallow tree on what the version in production approved. Stores nothing.

    Chosen on the earlier two thirds of the decisions, with figures of the later third.
    Scope: review.
    """
    deployment = await dependencies.run(read_deployment, caller.tenant_id)
    costs = deployment.effective_policy().policy.cost_model
    history = History(query.maturity_days, query.window_days, datetime.now(UTC))

    def run(engine: Engine) -> SuggestionsOut:
        return suggestions_out(suggest_on_history(engine, caller.tenant_id, costs, history))

    return await dependencies.run_expensive(run)


def _tried(body: BacktestIn) -> Tried:
    if body.rule is not None:
        return RuleTried(body.rule.condition, body.rule.action)
    if body.rules is not None:
        return RulesTried([RuleTried(one.condition, one.action) for one in body.rules])
    if body.list is not None:
        return _list_tried(body.list)
    if body.version is not None:
        return VersionTried(body.version)
    assert body.thresholds is not None  # noqa: S101 - the schema has exactly one
    try:
        return Thresholds(body.thresholds.threshold, body.thresholds.decline_from)
    except ValueError as error:
        raise invalid_request(
            [FieldError("thresholds.decline_from", "must be >= threshold")]
        ) from error


def _list_tried(one: ListTriedIn) -> Tried:
    fields = None if one.fields is None else tuple(one.fields)
    if one.name is not None:
        return StoredListTried(one.name, one.action, fields)
    assert one.entity is not None and one.values is not None  # noqa: S101, PT018 - by the schema
    return ListTried(one.entity, one.action, one.values, fields)
