"""What is in force after a change of a tenant's rules and lists."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from persistence.rules.changes import in_force_at
from persistence.tables.rules import ListRow, RuleRow, RuleSnoozeRow
from scoring.lists.entity_list import EntityList, ListAction
from scoring.rules.rule import Rule, RuleSet, Snooze


@dataclass(frozen=True, slots=True)
class StoredRule:
    """A version of a rule, and who made it.

    Attributes:
        rule: version.
        actor: name of the API key or of the user.
        created_at: time at which it came into force.
        change: number of the change.
        reason: sentence on why this version was made; None where nobody gave one.
    """

    rule: Rule
    actor: str
    created_at: datetime
    change: int
    reason: str | None = None


RULE_COLUMNS = (
    RuleRow.id,
    RuleRow.version,
    RuleRow.name,
    RuleRow.condition,
    RuleRow.action,
    RuleRow.state,
    RuleRow.priority,
    RuleRow.actor,
    RuleRow.created_at,
    RuleRow.change_id,
    RuleRow.reason,
)


LIST_COLUMNS = (ListRow.id, ListRow.name, ListRow.entity, ListRow.action, ListRow.fields)


def rule_set_at(connection: Connection, tenant_id: int, change: int) -> RuleSet:
    """Return the rules, lists and snoozes that are in force after a change.

    Args:
        connection: connection inside a `tenant_transaction`.
        tenant_id: tenant whose rules are read.
        change: number of the change.
    """
    return RuleSet(
        tuple(stored.rule for stored in rules_at(connection, tenant_id, change)),
        tuple(lists_at(connection, tenant_id, change)),
        tuple(_snoozes_at(connection, tenant_id, change)),
    )


def rules_at(connection: Connection, tenant_id: int, change: int) -> list[StoredRule]:
    """Return the version of each rule that is in force after a change, by id.

    Args:
        connection: connection inside a `tenant_transaction`.
        tenant_id: tenant whose rules are read.
        change: number of the change.
    """
    statement = (
        select(*RULE_COLUMNS)
        .distinct(RuleRow.id)
        .where(RuleRow.tenant_id == tenant_id, RuleRow.change_id <= change)
        .order_by(RuleRow.id, RuleRow.version.desc())
    )
    return [stored_rule(*row) for row in connection.execute(statement)]


def lists_at(connection: Connection, tenant_id: int, change: int) -> list[EntityList]:
    """Return the lists that are in force after a change, by id.

    Args:
        connection: connection inside a `tenant_transaction`.
        tenant_id: tenant whose lists are read.
        change: number of the change.
    """
    statement = (
        select(*LIST_COLUMNS)
        .where(
            ListRow.tenant_id == tenant_id,
            in_force_at(change, ListRow.added_change, ListRow.removed_change),
        )
        .order_by(ListRow.id)
    )
    return [entity_list(*row) for row in connection.execute(statement)]


def _snoozes_at(connection: Connection, tenant_id: int, change: int) -> list[Snooze]:
    statement = (
        select(
            RuleSnoozeRow.rule_id, RuleSnoozeRow.entity, RuleSnoozeRow.value, RuleSnoozeRow.until
        )
        .where(
            RuleSnoozeRow.tenant_id == tenant_id,
            in_force_at(change, RuleSnoozeRow.added_change, RuleSnoozeRow.ended_change),
        )
        .order_by(RuleSnoozeRow.id)
    )
    return [
        Snooze(rule_id, entity, value, unix_ms(until))
        for rule_id, entity, value, until in connection.execute(statement)
    ]


def stored_rule(*row: Any) -> StoredRule:  # noqa: ANN401 - a row
    """Return the rule of a row with RULE_COLUMNS."""
    *rule, actor, created_at, change, reason = row
    return StoredRule(Rule(*rule), actor, created_at, change, reason)


def entity_list(
    id_: int, name: str, entity: str, action: ListAction | None, fields: list[str] | None
) -> EntityList:
    """Return the list of a row with LIST_COLUMNS."""
    return EntityList(id_, name, entity, action, None if fields is None else tuple(fields))


def unix_ms(moment: datetime) -> int:
    """Return the milliseconds since 1970 UTC of an aware datetime, rounded down."""
    return int(moment.timestamp() * 1000)
