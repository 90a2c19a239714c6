"""What changes a rule, from a request's body: one way for the API and for the pages."""

from __future__ import annotations

from sqlalchemy import Connection

from api.rules.schemas import RuleChangeIn, RuleIn
from persistence.actor import Actor
from persistence.rules.checking import canonical_condition
from persistence.rules.in_force import StoredRule
from persistence.rules.rules import RuleContent, change_rule, create_rule, rule_versions
from scoring.rules.rule import DEFAULT_PRIORITY
from web.invalid_fields import invalid_fields


def make_rule(connection: Connection, tenant_id: int, body: RuleIn, actor: Actor) -> StoredRule:
    """Store a new rule; without a state it is in shadow.

    Args:
        connection: connection inside a `tenant_transaction` of the same actor.
        tenant_id: tenant whose rule it is.
        body: content of the rule.
        actor: person or caller who makes it.

    Raises:
        InvalidRequest: as of `canonical_condition` and `create_rule`.
    """
    condition = canonical_condition(connection, tenant_id, body.condition)
    priority = DEFAULT_PRIORITY if body.priority is None else body.priority
    content = RuleContent(body.name, condition, body.action, body.state or "shadow", priority)
    return create_rule(connection, tenant_id, content, actor)


def make_version(
    connection: Connection,
    tenant_id: int,
    rule_id: int,
    body: RuleChangeIn,
    actor: Actor,
    reason: str | None = None,
) -> StoredRule:
    """Store another version of a rule; what the body leaves out stays.

    A condition that stays is checked too, unless the rule is off: the version in production may
    lack a feature that it names.

    Args:
        connection: connection inside a `tenant_transaction` of the same actor.
        tenant_id: tenant whose rule it is.
        rule_id: rule.
        body: what changes, and the version that it was made from.
        actor: person or caller who changes it.
        reason: sentence on why; None where nobody asked for one.

    Raises:
        NotFound: there is no such rule.
        InvalidRequest: the body changes nothing, or as of `canonical_condition` and `change_rule`.
    """
    rule = rule_versions(connection, tenant_id, rule_id)[0].rule
    sent = body.model_dump(exclude_none=True, exclude={"version"})
    if not sent:
        members = "name, condition, action, state, priority"
        raise invalid_fields([((), f"must have at least one of {members}")])
    condition = sent.get("condition", rule.condition)
    if "condition" in sent or sent.get("state", "off") != "off":
        condition = canonical_condition(connection, tenant_id, condition)
    content = RuleContent(
        sent.get("name", rule.name),
        condition,
        sent.get("action", rule.action),
        sent.get("state", rule.state),
        sent.get("priority", rule.priority),
    )
    return change_rule(connection, tenant_id, rule_id, body.version, content, actor, reason)
