"""Put the rules of a file in force: new ones, and new versions of those that differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sqlalchemy import Connection

from persistence.actor import Actor
from persistence.rules.changes import newest_change
from persistence.rules.in_force import StoredRule, rules_at
from persistence.rules.names import names_of_conditions
from persistence.rules.rules import RuleContent, change_rule, create_rule
from scoring.errors import InvalidExpression, InvalidRequest
from scoring.expressions import Schema
from scoring.rules.condition import check_condition, condition_problem
from scoring.rules.rule import Rule, RuleState
from sentinel.rule_file import MEMBERS, FileRule, RuleFault, not_valid

FIRST_STATE: RuleState = "shadow"
FIRST_PRIORITY = 100
"""State and priority of a new rule for which the file leaves them open, as over HTTP."""


@dataclass(frozen=True, slots=True)
class AppliedRule:
    """What became of a rule of a file.

    Attributes:
        outcome: what was done.
        rule: version that is in force now.
        changes: members that differ from the version before.
        kept: why the condition of the version before stays, where the file's fits no longer; None
            for any other rule.
    """

    outcome: Literal["created", "changed", "unchanged"]
    rule: Rule
    changes: tuple[str, ...] = ()
    kept: str | None = None


@dataclass(frozen=True, slots=True)
class AppliedRules:
    """What became of the rules of a file.

    Attributes:
        rules: those of the file, in its order.
        others: rules of the tenant that the file does not have, which stay as they are.
    """

    rules: tuple[AppliedRule, ...]
    others: int


@dataclass(frozen=True, slots=True)
class _Planned:
    file_rule: FileRule
    content: RuleContent
    before: StoredRule | None
    kept: str | None


def apply_rules(
    connection: Connection, tenant_id: int, path: Path, rules: Sequence[FileRule], actor: Actor
) -> AppliedRules:
    """Create the rules whose name is new, and make a new version of those that differ.

    What the file leaves open stays as it is. Rules that the file does not have stay in force.

    Args:
        connection: connection inside a `tenant_transaction` of the same actor.
        tenant_id: tenant whose rules they are.
        path: file, for the errors.
        rules: rules of the file.
        actor: person who applies it.

    Raises:
        RuleFileError: a condition is not valid, or the tenant's other rules, lists or limits refuse
            a rule; names each. The transaction has to be rolled back.
    """
    schema = names_of_conditions(connection, tenant_id)
    in_force = rules_at(connection, tenant_id, newest_change(connection, tenant_id))
    by_name = {stored.rule.name: stored for stored in in_force}
    planned: list[_Planned] = []
    faults: list[RuleFault] = []
    for file_rule in rules:
        plan = _plan(file_rule, by_name.get(file_rule.name), schema)
        if isinstance(plan, RuleFault):
            faults.append(plan)
        else:
            planned.append(plan)
    if faults:
        raise not_valid(path, faults)
    done: dict[int, AppliedRule] = {}
    # First those that are turned off, which makes room for others below the limit of rules.
    for plan in sorted(planned, key=lambda one: one.content.state != "off"):
        try:
            done[plan.file_rule.number] = _apply(connection, tenant_id, plan, actor)
        except InvalidRequest as error:
            message = "; ".join(f"{one.field} {one.message}" for one in error.errors) or str(error)
            fault = RuleFault(plan.file_rule.number, plan.file_rule.name, message)
            raise not_valid(path, [fault]) from error
    found = sum(plan.before is not None for plan in planned)
    applied = tuple(done[file_rule.number] for file_rule in rules)
    return AppliedRules(applied, len(in_force) - found)


def _plan(file_rule: FileRule, before: StoredRule | None, schema: Schema) -> _Planned | RuleFault:
    """Return the content of a rule's next version, or what is wrong with its condition."""
    rule = before.rule if before else None
    state = file_rule.state or (rule.state if rule else FIRST_STATE)
    priority = file_rule.priority
    if priority is None:
        priority = rule.priority if rule else FIRST_PRIORITY
    kept = None
    try:
        condition = check_condition(file_rule.condition, schema).source
    except InvalidExpression as error:
        # A rule that no longer fits can be turned off without another condition.
        if rule is None or state != "off" or _fits(rule.condition, schema):
            message = f"condition, column {error.column}\n{error.pointed()}"
            return RuleFault(file_rule.number, file_rule.name, message)
        condition, kept = rule.condition, error.detail
    content = RuleContent(file_rule.name, condition, file_rule.action, state, priority)
    return _Planned(file_rule, content, before, kept)


def _fits(condition: str, schema: Schema) -> bool:
    return condition_problem(condition, schema) is None


def _apply(connection: Connection, tenant_id: int, plan: _Planned, actor: Actor) -> AppliedRule:
    content, before = plan.content, plan.before
    if before is None:
        return AppliedRule("created", create_rule(connection, tenant_id, content, actor).rule)
    rule = before.rule
    changes = tuple(name for name in MEMBERS if getattr(content, name) != getattr(rule, name))
    if not changes:
        return AppliedRule("unchanged", rule, kept=plan.kept)
    stored = change_rule(connection, tenant_id, rule.id, rule.version, content, actor)
    return AppliedRule("changed", stored.rule, changes, plan.kept)
