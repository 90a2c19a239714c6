"""Rules as they are stored: every version of them, of which the newest is in force."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, func, insert, select

from persistence.actor import Actor
from persistence.rules.changes import next_change
from persistence.rules.in_force import (
    RULE_COLUMNS,
    StoredRule,
    lists_at,
    rule_set_at,
    rules_at,
    stored_rule,
)
from persistence.rules.names import names_of_conditions
from persistence.tables.rules import RuleRow
from scoring.errors import FieldError, NotFound, invalid_request
from scoring.expressions import MAX_WINDOWS
from scoring.policy import Outcome
from scoring.rules.compiled import count_windows
from scoring.rules.condition import lists_named
from scoring.rules.rule import MAX_RULES, RuleState


@dataclass(frozen=True, slots=True)
class RuleContent:
    """What whoever makes a version of a rule decides about it.

    Attributes:
        name: name that no other rule of the tenant has.
        condition: condition in canonical form.
        action: outcome of a payment for which the condition is true.
        state: whether it acts, is only evaluated, or neither.
        priority: place among the rules with the same action, the smallest first.
    """

    name: str
    condition: str
    action: Outcome
    state: RuleState
    priority: int


def create_rule(
    connection: Connection, tenant_id: int, content: RuleContent, actor: Actor
) -> StoredRule:
    """Store the first version of a rule; triggers write the audit log and notify the processes.

    Args:
        connection: connection inside a `tenant_transaction` of the same actor.
        tenant_id: tenant whose rule it is.
        content: content, whose condition was checked.
        actor: person or caller who makes it.

    Raises:
        InvalidRequest: another rule has the name, a list that the condition names does not exist,
            or there are MAX_RULES rules in use.
    """
    change = next_change(connection, tenant_id)
    others = rules_at(connection, tenant_id, change)
    _refuse_conflicts(connection, tenant_id, content, others, change)
    newest = select(func.coalesce(func.max(RuleRow.id), 0) + 1).where(
        RuleRow.tenant_id == tenant_id
    )
    rule_id = connection.execute(newest).scalar_one()
    stored = _insert(connection, tenant_id, rule_id, 1, content, actor, change)
    _refuse_too_many_windows(connection, tenant_id, stored)
    return stored


def change_rule(
    connection: Connection,
    tenant_id: int,
    rule_id: int,
    version: int,
    content: RuleContent,
    actor: Actor,
    reason: str | None = None,
) -> StoredRule:
    """Store another version of a rule; the content of the one in force changes nothing.

    Args:
        connection: connection inside a `tenant_transaction` of the same actor.
        tenant_id: tenant whose rule it is.
        rule_id: rule.
        version: version that the content was made from.
        content: content, whose condition was checked.
        actor: person or caller who changes it.
        reason: sentence on why; None where nobody asked for one.

    Raises:
        InvalidRequest: as in `create_rule`, or the rule has a newer version.
        NotFound: there is no such rule.
    """
    change = next_change(connection, tenant_id)
    rules = rules_at(connection, tenant_id, change)
    before = next((stored for stored in rules if stored.rule.id == rule_id), None)
    if before is None:
        raise _not_found(rule_id)
    if before.rule.version != version:
        message = f"is {version}, but version {before.rule.version} is in force; read it first"
        raise invalid_request([FieldError("version", message)])
    others = [stored for stored in rules if stored is not before]
    _refuse_conflicts(connection, tenant_id, content, others, change)
    stored = _insert(connection, tenant_id, rule_id, version + 1, content, actor, change, reason)
    _refuse_too_many_windows(connection, tenant_id, stored)
    return stored


def rule_versions(connection: Connection, tenant_id: int, rule_id: int) -> list[StoredRule]:
    """Return every version of a rule, the newest first.

    Args:
        connection: connection inside a `tenant_transaction`.
        tenant_id: tenant whose rule it is.
        rule_id: rule.

    Raises:
        NotFound: there is no such rule.
    """
    statement = (
        select(*RULE_COLUMNS)
        .where(RuleRow.tenant_id == tenant_id, RuleRow.id == rule_id)
        .order_by(RuleRow.version.desc())
    )
    found = [stored_rule(*row) for row in connection.execute(statement)]
    if not found:
        raise _not_found(rule_id)
    return found


def _refuse_conflicts(
    connection: Connection,
    tenant_id: int,
    content: RuleContent,
    others: list[StoredRule],
    change: int,
) -> None:
    for stored in others:
        if stored.rule.name == content.name:
            message = f"is the name of rule {stored.rule.id}; choose another"
            raise invalid_request([FieldError("name", message)])
    names = {one.name for one in lists_at(connection, tenant_id, change)}
    missing = sorted(lists_named(content.condition) - names)
    if missing:
        message = f"names the list {missing[0]}, which was removed; make it again first"
        raise invalid_request([FieldError("condition", message)])
    in_use = sum(stored.rule.state != "off" for stored in others)
    if content.state != "off" and in_use >= MAX_RULES:
        message = f"must be off: {MAX_RULES} rules are live or in shadow, the most there can be"
        raise invalid_request([FieldError("state", message)])


def _refuse_too_many_windows(connection: Connection, tenant_id: int, stored: StoredRule) -> None:
    """Refuse a rule with which all rules have so many windows that some would always fail."""
    if stored.rule.state == "off":
        return
    rule_set = rule_set_at(connection, tenant_id, stored.change)
    if count_windows(rule_set, names_of_conditions(connection, tenant_id)) > MAX_WINDOWS:
        message = f"has too many windows: all rules together have at most {MAX_WINDOWS} different"
        raise invalid_request([FieldError("condition", message)])


def _insert(
    connection: Connection,
    tenant_id: int,
    rule_id: int,
    version: int,
    content: RuleContent,
    actor: Actor,
    change: int,
    reason: str | None = None,
) -> StoredRule:
    statement = (
        insert(RuleRow)
        .values(
            tenant_id=tenant_id,
            id=rule_id,
            version=version,
            name=content.name,
            condition=content.condition,
            action=content.action,
            state=content.state,
            priority=content.priority,
            actor=actor.name,
            reason=reason,
            change_id=change,
        )
        .returning(*RULE_COLUMNS)
    )
    return stored_rule(*connection.execute(statement).one())


def _not_found(rule_id: int) -> NotFound:
    return NotFound(f"There is no rule {rule_id}.")
