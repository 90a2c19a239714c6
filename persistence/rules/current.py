"""A tenant's rules, lists and entries after its newest change, read from what a process knows."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Engine

from persistence.rules.changes import newest_change
from persistence.rules.in_force import rule_set_at
from persistence.rules.index import entry_changes, index_at
from persistence.tenancy import tenant_transaction
from scoring.errors import SentinelError
from scoring.lists.index import ListIndex
from scoring.rules.rule import RuleSet

MOST_CHANGED = 10_000
"""Changed entries above which all are read: the records of a million take a second, and applying
10,000 changes to an index a fifth of one."""


class UnreadableRules(SentinelError):
    """A tenant's stored rules are not those of this release."""


class Known(NamedTuple):
    """What a process knows.

    Attributes:
        change: number of the change.
        entries: entries that were in force after it.
    """

    change: int
    entries: ListIndex


class CurrentRules(NamedTuple):
    """What is in force after the newest change.

    Attributes:
        change: number of the change.
        rule_set: rules, lists and snoozes.
        entries: entries of the lists.
    """

    change: int
    rule_set: RuleSet
    entries: ListIndex


def read_rules(engine: Engine, tenant_id: int, known: Known | None) -> CurrentRules | None:
    """Return what is in force of a tenant; None where it never had a rule or a list.

    Args:
        engine: pool of connections.
        tenant_id: tenant whose rules are read.
        known: what the process knows; None: nothing.

    Raises:
        UnreadableRules: a stored rule is not one of this release.
        StoreUnavailable: Postgres cannot be reached.
    """
    with tenant_transaction(engine, tenant_id) as connection:
        change = newest_change(connection, tenant_id)
        if not change:
            return None
        try:
            rule_set = rule_set_at(connection, tenant_id, change)
        except ValueError as error:
            raise UnreadableRules(f"The stored rules cannot be read: {error}.") from error
        changes = None
        if known is not None:
            changes = entry_changes(connection, tenant_id, known.change, change, MOST_CHANGED)
        if known is None or changes is None:
            return CurrentRules(change, rule_set, index_at(connection, tenant_id, change))
    return CurrentRules(change, rule_set, known.entries.with_changes(*changes))
