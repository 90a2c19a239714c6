"""The replies of the rules routes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from api.rules.schemas import (
    RuleDayOut,
    RuleDetailOut,
    RuleInForceOut,
    RuleOut,
    RulesOut,
    SnoozeOut,
)
from persistence.labels.reader import MATURITY_DAYS
from persistence.rules.figures import RuleDay, RuleFigures
from persistence.rules.in_force import StoredRule
from persistence.rules.snoozes import StoredSnooze
from scoring.expressions import Schema
from scoring.policy import CostModel, Outcome
from scoring.rules.compiled import unusable_rules
from scoring.rules.rule import RuleSet


def rules_out(
    rules: Sequence[StoredRule],
    snoozes: Sequence[StoredSnooze],
    schema: Schema,
    figures: RuleFigures,
    costs: CostModel | None,
    now: datetime,
) -> RulesOut:
    """Return the reply with every rule in force.

    Args:
        rules: version in force of each rule.
        snoozes: snoozes that go on.
        schema: what conditions may name now.
        figures: what rules did.
        costs: costs of errors; None without a policy in force.
        now: current time.
    """
    by_id = {stored.rule.id: stored for stored in rules}
    rule_set = RuleSet(tuple(stored.rule for stored in rules))
    unusable = unusable_rules(rule_set, schema)
    return RulesOut(
        rules=[
            RuleInForceOut(
                **_rule(by_id[rule.id]),
                problem=unusable.get(rule.key),
                snoozes=[snooze_out(one) for one in snoozes if one.rule_id == rule.id],
                days=[_day(day, rule.action, costs, now) for day in figures.days.get(rule.id, ())],
            )
            for rule in rule_set.ordered
        ],
        truncated=figures.truncated,
    )


def rule_out(stored: StoredRule) -> RuleOut:
    """Return the reply of one version of a rule."""
    return RuleOut(**_rule(stored))


def rule_detail_out(
    versions: Sequence[StoredRule], snoozes: Sequence[StoredSnooze]
) -> RuleDetailOut:
    """Return the reply with every version of a rule.

    Args:
        versions: versions, the newest first.
        snoozes: snoozes of the tenant that go on.
    """
    rule_id = versions[0].rule.id
    return RuleDetailOut(
        versions=[rule_out(stored) for stored in versions],
        snoozes=[snooze_out(one) for one in snoozes if one.rule_id == rule_id],
    )


def snooze_out(stored: StoredSnooze) -> SnoozeOut:
    """Return the reply of a snooze."""
    return SnoozeOut(
        id=stored.id,
        rule_id=stored.rule_id,
        entity=stored.entity,
        value=stored.value,
        until=stored.until,
        reason=stored.reason,
        actor=stored.actor,
        created_at=stored.created_at,
    )


def _day(day: RuleDay, action: Outcome, costs: CostModel | None, now: datetime) -> RuleDayOut:
    return RuleDayOut(
        day=day.day,
        fires=day.fires,
        shadow=day.shadow,
        decided=day.decided,
        labelled=day.labelled,
        frauds=day.frauds,
        is_mature=day.day < (now - timedelta(days=MATURITY_DAYS)).date(),
        precision=day.precision,
        saved=None if costs is None else day.saved(costs, action),
    )


def _rule(stored: StoredRule) -> dict[str, Any]:
    rule = stored.rule
    return {
        "id": rule.id,
        "version": rule.version,
        "name": rule.name,
        "condition": rule.condition,
        "action": rule.action,
        "state": rule.state,
        "priority": rule.priority,
        "actor": stored.actor,
        "created_at": stored.created_at,
    }
