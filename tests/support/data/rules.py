"""Rules, lists, entries and snoozes of a tenant, as an analyst makes them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import Engine

from persistence.actor import Actor
from persistence.rules.entries import add_entries, remove_entries
from persistence.rules.in_force import StoredRule
from persistence.rules.lists import StoredList, create_list, remove_list
from persistence.rules.rules import RuleContent, change_rule, create_rule
from persistence.rules.snoozes import StoredSnooze, add_snooze
from persistence.tenancy import tenant_transaction
from scoring.lists.entry_rows import NewEntry

ANALYST = Actor("ana", "key abc")


def rule_content(**changes: Any) -> RuleContent:
    """Return a live rule that reviews large amounts."""
    values = {
        "name": "large",
        "condition": "amount > 1000",
        "action": "review",
        "state": "live",
        "priority": 100,
    }
    return RuleContent(**values | changes)


def put_rule(engine: Engine, tenant_id: int, **changes: Any) -> StoredRule:
    """Store the first version of a rule."""
    with tenant_transaction(engine, tenant_id, actor=ANALYST) as connection:
        return create_rule(connection, tenant_id, rule_content(**changes), ANALYST)


def put_version(engine: Engine, tenant_id: int, before: StoredRule, **changes: Any) -> StoredRule:
    """Store another version of a rule, of which everything else stays."""
    rule = before.rule
    stays = {n: getattr(rule, n) for n in ("name", "condition", "action", "state", "priority")}
    content = RuleContent(**stays | changes)
    with tenant_transaction(engine, tenant_id, actor=ANALYST) as connection:
        return change_rule(connection, tenant_id, rule.id, rule.version, content, ANALYST)


def put_list(
    engine: Engine, tenant_id: int, name: str = "blocked", values: Iterable[str] = (), **more: Any
) -> StoredList:
    """Store a list that declines, with entries."""
    settings: dict[str, Any] = {"entity": "account", "action": "decline", "fields": None} | more
    with tenant_transaction(engine, tenant_id, actor=ANALYST) as connection:
        made = create_list(connection, tenant_id, name=name, actor=ANALYST, **settings)
    put_entries(engine, tenant_id, name, *(NewEntry(value, "chargebacks") for value in values))
    return made


def put_entries(engine: Engine, tenant_id: int, name: str, *entries: NewEntry) -> tuple[int, int]:
    """Put entries into a list; return how many were new, and how many replaced another."""
    with tenant_transaction(engine, tenant_id, actor=ANALYST) as connection:
        return add_entries(connection, tenant_id, name, entries, ANALYST)


def take_out(engine: Engine, tenant_id: int, name: str, *values: str) -> tuple[int, int]:
    """Take entities out of a list; return how many were removed, and how many were not in it."""
    with tenant_transaction(engine, tenant_id, actor=ANALYST) as connection:
        return remove_entries(connection, tenant_id, name, values)


def drop_list(engine: Engine, tenant_id: int, name: str) -> None:
    """Remove a list."""
    with tenant_transaction(engine, tenant_id, actor=ANALYST) as connection:
        remove_list(connection, tenant_id, name)


def put_snooze(
    engine: Engine, tenant_id: int, rule_id: int, value: str, until: datetime, entity: str
) -> StoredSnooze:
    """Keep a rule from acting on an entity."""
    with tenant_transaction(engine, tenant_id, actor=ANALYST) as connection:
        return add_snooze(
            connection, tenant_id, rule_id, entity=entity, value=value, until=until,
            reason="a known customer", actor=ANALYST,
        )  # fmt: skip
