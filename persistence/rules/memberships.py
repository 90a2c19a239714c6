"""The lists that hold one entity, and the names of what decided a payment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, select, tuple_

from persistence.rules.entries import ENTRY_COLUMNS, StoredEntry
from persistence.rules.in_force import LIST_COLUMNS, RULE_COLUMNS, entity_list, stored_rule
from persistence.tables.rules import ListEntryRow, ListRow, RuleRow
from scoring.lists.entity_list import EntityList
from scoring.lists.index import digest_of
from scoring.rules.rule import Rule, RuleKey
from scoring.rules.ruling import Ruling


@dataclass(frozen=True, slots=True)
class Membership:
    """An entry of a list, and the list.

    Attributes:
        list: list that holds the entry.
        entry: entry, expired or not.
    """

    list: EntityList
    entry: StoredEntry


@dataclass(frozen=True, slots=True)
class RulingNames:
    """What a ruling names by number.

    Attributes:
        rules: version of each rule by its key.
        entries: entry with its list by the entry's id, also where it was removed since.
    """

    rules: Mapping[RuleKey, Rule]
    entries: Mapping[int, Membership]


def memberships_of(
    connection: Connection, tenant_id: int, entity: str, value: str
) -> list[Membership]:
    """Return the entries in force of an entity, expired ones among them, by the list's name.

    Args:
        connection: connection inside a `tenant_transaction`.
        tenant_id: tenant whose lists are read.
        entity: slug of what the entity is.
        value: the entity, as events have it.
    """
    statement = (
        select(*LIST_COLUMNS, *ENTRY_COLUMNS)
        .join(
            ListRow,
            (ListRow.tenant_id == ListEntryRow.tenant_id) & (ListRow.id == ListEntryRow.list_id),
        )
        .where(
            ListEntryRow.tenant_id == tenant_id,
            ListEntryRow.digest == digest_of(value),
            ListEntryRow.removed_change.is_(None),
            ListRow.entity == entity,
        )
        .order_by(ListRow.name)
    )
    return [_membership(*row) for row in connection.execute(statement)]


def lists_of_entity(connection: Connection, tenant_id: int, entity: str) -> list[EntityList]:
    """Return the lists in force of one kind of entity, by name.

    Args:
        connection: connection inside a `tenant_transaction`.
        tenant_id: tenant whose lists are read.
        entity: slug of the kind.
    """
    statement = (
        select(*LIST_COLUMNS)
        .where(
            ListRow.tenant_id == tenant_id,
            ListRow.removed_change.is_(None),
            ListRow.entity == entity,
        )
        .order_by(ListRow.name)
    )
    return [entity_list(*row) for row in connection.execute(statement)]


def ruling_names(connection: Connection, tenant_id: int, ruling: Ruling | None) -> RulingNames:
    """Return the rules and list entries that a ruling names.

    Args:
        connection: connection inside a `tenant_transaction`.
        tenant_id: tenant whose ruling it is.
        ruling: ruling of a decision; None names nothing.
    """
    if ruling is None:
        return RulingNames({}, {})
    verdict = ruling.verdict
    keys = {*verdict.fired, *verdict.shadow, *verdict.snoozed, *verdict.failed}
    ids = {match.entry_id for match in verdict.entries}
    decider = verdict.decided_by
    if decider.kind == "rule" and decider.id is not None and decider.version is not None:
        keys.add((decider.id, decider.version))
    if decider.kind == "list_entry" and decider.id is not None:
        ids.add(decider.id)
    rules = select(*RULE_COLUMNS).where(
        RuleRow.tenant_id == tenant_id, tuple_(RuleRow.id, RuleRow.version).in_(sorted(keys))
    )
    entries = (
        select(*LIST_COLUMNS, *ENTRY_COLUMNS)
        .join(
            ListRow,
            (ListRow.tenant_id == ListEntryRow.tenant_id) & (ListRow.id == ListEntryRow.list_id),
        )
        .where(ListEntryRow.tenant_id == tenant_id, ListEntryRow.id.in_(sorted(ids)))
    )
    found = [stored_rule(*row).rule for row in connection.execute(rules)] if keys else []
    held = [_membership(*row) for row in connection.execute(entries)] if ids else []
    return RulingNames({rule.key: rule for rule in found}, {one.entry.id: one for one in held})


def _membership(*row: object) -> Membership:
    width = len(LIST_COLUMNS)
    return Membership(entity_list(*row[:width]), StoredEntry(*row[width:]))  # type: ignore[arg-type]
