"""Snoozes of rules as they are stored."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, insert, select, update

from persistence.actor import Actor
from persistence.rules.changes import next_change
from persistence.rules.rules import rule_versions
from persistence.tables.rules import RuleSnoozeRow
from scoring.errors import FieldError, NotFound, invalid_request

MAX_SNOOZES = 10_000


@dataclass(frozen=True, slots=True)
class StoredSnooze:
    """A snooze of a rule, and who made it.

    Attributes:
        id: number that is unique in the tenant.
        rule_id: rule.
        entity: slug of what the entity is.
        value: the entity, as events have it.
        until: time at which it ends.
        reason: sentence on why the rule does not act on the entity.
        actor: name of the API key or of the user.
        created_at: time at which it was made.
    """

    id: int
    rule_id: int
    entity: str
    value: str
    until: datetime
    reason: str
    actor: str
    created_at: datetime


_COLUMNS = (
    RuleSnoozeRow.id,
    RuleSnoozeRow.rule_id,
    RuleSnoozeRow.entity,
    RuleSnoozeRow.value,
    RuleSnoozeRow.until,
    RuleSnoozeRow.reason,
    RuleSnoozeRow.actor,
    RuleSnoozeRow.created_at,
)


def add_snooze(
    connection: Connection,
    tenant_id: int,
    rule_id: int,
    *,
    entity: str,
    value: str,
    until: datetime,
    reason: str,
    actor: Actor,
) -> StoredSnooze:
    """Keep a rule from acting on an entity until a time.

    Args:
        connection: connection inside a `tenant_transaction` of the same actor.
        tenant_id: tenant whose rule it is.
        rule_id: rule.
        entity: slug of what the entity is.
        value: the entity, as events have it.
        until: time at which it ends.
        reason: sentence on why.
        actor: person or caller who makes it.

    Raises:
        NotFound: there is no such rule.
        InvalidRequest: MAX_SNOOZES snoozes have not ended.
    """
    change = next_change(connection, tenant_id)
    rule_versions(connection, tenant_id, rule_id)
    of_tenant = RuleSnoozeRow.tenant_id == tenant_id
    going_on = select(func.count()).where(
        of_tenant, RuleSnoozeRow.ended_change.is_(None), RuleSnoozeRow.until > func.now()
    )
    if connection.execute(going_on).scalar_one() >= MAX_SNOOZES:
        message = f"is one too many: {MAX_SNOOZES} snoozes go on, the most there can be"
        raise invalid_request([FieldError("value", message)])
    newest = select(func.coalesce(func.max(RuleSnoozeRow.id), 0) + 1).where(of_tenant)
    statement = (
        insert(RuleSnoozeRow)
        .values(
            tenant_id=tenant_id,
            id=newest.scalar_subquery(),
            rule_id=rule_id,
            entity=entity,
            value=value,
            until=until,
            reason=reason,
            actor=actor.name,
            added_change=change,
        )
        .returning(*_COLUMNS)
    )
    return StoredSnooze(*connection.execute(statement).one())


def end_snooze(connection: Connection, tenant_id: int, rule_id: int, snooze_id: int) -> None:
    """End a snooze before its time.

    Args:
        connection: connection inside a `tenant_transaction` of whoever ends it.
        tenant_id: tenant whose rule it is.
        rule_id: rule.
        snooze_id: snooze of the rule.

    Raises:
        NotFound: the rule has no such snooze, or it was ended.
    """
    statement = (
        update(RuleSnoozeRow)
        .where(
            RuleSnoozeRow.tenant_id == tenant_id,
            RuleSnoozeRow.id == snooze_id,
            RuleSnoozeRow.rule_id == rule_id,
            RuleSnoozeRow.ended_change.is_(None),
        )
        .values(ended_change=next_change(connection, tenant_id))
        .returning(RuleSnoozeRow.id)
    )
    if not connection.execute(statement).all():
        raise NotFound(f"Rule {rule_id} has no snooze {snooze_id} that could be ended.")


def going_on(connection: Connection, tenant_id: int) -> list[StoredSnooze]:
    """Return the snoozes that go on now, the one that ends first first.

    Args:
        connection: connection inside a `tenant_transaction`.
        tenant_id: tenant whose snoozes are read.
    """
    statement = (
        select(*_COLUMNS)
        .where(
            RuleSnoozeRow.tenant_id == tenant_id,
            RuleSnoozeRow.ended_change.is_(None),
            RuleSnoozeRow.until > func.now(),
        )
        .order_by(RuleSnoozeRow.until, RuleSnoozeRow.id)
    )
    return [StoredSnooze(*row) for row in connection.execute(statement)]
