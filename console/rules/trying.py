"""Try a rule on the decisions of the last days, in money, before it is saved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from sqlalchemy import Engine

from api.dependencies import ApiDependencies
from api.models.effective_policy import read_deployment
from api.rules.backtest_responses import backtest_out
from api.rules.backtest_schemas import BacktestOut
from api.rules.reading import costs_in_force
from api.rules.schemas import RuleIn
from console.rules.form import Problems
from persistence.labels.reader import MATURITY_DAYS
from persistence.rules.backtesting import History, try_on_history
from persistence.rules.changes import newest_change
from persistence.rules.in_force import rules_at
from persistence.rules.names import names_of_conditions
from persistence.rules.tried import RulesTried, RuleTried, Tried
from persistence.tenancy import tenant_transaction
from scoring.backtest.backtest import NoDecisions
from scoring.errors import InvalidRequest, StoreUnavailable
from scoring.rules.compiled import unusable_rules
from scoring.rules.rule import Rule, RuleSet

MOST_DECISIONS = 50_000
"""Decisions that a try on a page looks at, the latest ones, so that it answers in seconds."""
SPANS = {
    "7": (0.0, 7.0),
    "30": (0.0, 30.0),
    "90": (0.0, 90.0),
    "mature": (MATURITY_DAYS, 90.0),
}
"""Least age of a decision and length of the span that ends there, days, by the choice's name."""
DEFAULT_SPAN = "30"


@dataclass(frozen=True, slots=True)
class TriedRule:
    """What became of a try.

    Attributes:
        backtest: figures; None where there are none.
        problems: what is wrong with the condition; empty where nothing is.
        why_not: key of the text that says why there are no figures; None where there are.
        replaces: whether the figures are those of a live rule's change, in place of it.
    """

    backtest: BacktestOut | None = None
    problems: Problems = field(default_factory=Problems)
    why_not: str | None = None
    replaces: bool = False


async def try_rule(
    dependencies: ApiDependencies,
    tenant_id: int,
    content: RuleIn,
    in_force: Rule | None,
    span: str,
) -> TriedRule:
    """Return what a rule would have done, against what was decided.

    The change of a live rule is tried in its place: beside it a narrower condition would change
    nothing. A new rule, and one in shadow, is tried beside what was in force.

    Args:
        dependencies: what the routes use.
        tenant_id: tenant whose decisions are read.
        content: rule that is tried.
        in_force: version of it that is in force; None for a new rule.
        span: decisions that are looked at, key of SPANS.
    """
    deployment = await dependencies.run(read_deployment, tenant_id)
    costs = costs_in_force(deployment)
    if costs is None:
        return TriedRule(why_not="no_policy")
    now = datetime.now(UTC)
    maturity_days, window_days = SPANS.get(span, SPANS[DEFAULT_SPAN])
    history = History(maturity_days, window_days, now, MOST_DECISIONS)
    replaces = in_force is not None and in_force.state == "live"

    def run(engine: Engine) -> TriedRule:
        tried: Tried = RuleTried(content.condition, content.action)
        if in_force is not None and replaces:
            tried = _in_its_place(engine, tenant_id, content, in_force)
        try:
            tested = try_on_history(engine, tenant_id, tried, costs, history)
        except NoDecisions:
            return TriedRule(why_not="no_decisions")
        return TriedRule(backtest_out(tested, costs, now), replaces=replaces)

    try:
        return await dependencies.run_expensive(run)
    except InvalidRequest as error:
        return TriedRule(problems=Problems.of(error))
    except StoreUnavailable:
        return TriedRule(why_not="too_long")


def _in_its_place(engine: Engine, tenant_id: int, content: RuleIn, in_force: Rule) -> RulesTried:
    """Return the live rules with one of them changed; those that fit nothing decide nothing."""
    with tenant_transaction(engine, tenant_id) as connection:
        stored = rules_at(connection, tenant_id, newest_change(connection, tenant_id))
        schema = names_of_conditions(connection, tenant_id)
    others = [s.rule for s in stored if s.rule.state == "live" and s.rule.id != in_force.id]
    unusable = unusable_rules(RuleSet(tuple(others)), schema)
    changed = Rule(
        in_force.id,
        in_force.version,
        content.name,
        content.condition,
        content.action,
        "live",
        in_force.priority if content.priority is None else content.priority,
    )
    usable = [rule for rule in others if rule.key not in unusable]
    return RulesTried(_tried(RuleSet((*usable, changed)).ordered))


def _tried(rules: Sequence[Rule]) -> list[RuleTried]:
    return [RuleTried(rule.condition, rule.action) for rule in rules]
