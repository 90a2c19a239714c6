"""What is in force after any change of rules and lists can be read later."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import pytest
from sqlalchemy import Engine

from persistence.rules.changes import newest_change, newest_changes, next_change
from persistence.rules.in_force import rule_set_at
from persistence.rules.index import entry_changes, index_at, index_of
from persistence.tenancy import tenant_transaction
from persistence.tenants import Tenant
from scoring.lists.entry_rows import NewEntry
from scoring.lists.index import ListIndex
from scoring.rules.rule import RuleSet, Snooze
from tests.support.data.rules import (
    drop_list,
    put_entries,
    put_list,
    put_rule,
    put_snooze,
    put_version,
    take_out,
)
from tests.support.fixture_types import MakeTenant

Found = TypeVar("Found")
SOON = datetime(2030, 1, 1, tzinfo=UTC)
SOON_MS = 1_893_456_000_000


@pytest.fixture
def tenant(make_tenant: MakeTenant) -> Tenant:
    return make_tenant()


@pytest.fixture
def read(service_engine: Engine, tenant: Tenant) -> Callable[..., Found]:
    """A function that calls another one in a transaction of the tenant."""

    def call(function: Callable[..., Found], *arguments: object) -> Found:
        with tenant_transaction(service_engine, tenant.id) as connection:
            return function(connection, tenant.id, *arguments)

    return call


def test_changes_are_numbered_in_each_tenant(
    service_engine: Engine, make_tenant: MakeTenant
) -> None:
    mine, other, idle = (make_tenant(slug) for slug in ("mine", "other", "idle"))
    for tenant, times in ((mine, 3), (other, 1)):
        for _ in range(times):
            with tenant_transaction(service_engine, tenant.id) as connection:
                next_change(connection, tenant.id)
    assert newest_changes(service_engine) == {mine.id: 3, other.id: 1}
    with tenant_transaction(service_engine, idle.id) as connection:
        assert newest_change(connection, idle.id) == 0


def test_every_state_before_is_read_again(
    service_engine: Engine, tenant: Tenant, read: Callable[..., RuleSet]
) -> None:
    rule = put_rule(service_engine, tenant.id)  # 1
    shadow = put_version(service_engine, tenant.id, rule, state="shadow", priority=7)  # 2
    made = put_list(service_engine, tenant.id, fields=("nameDest",))  # 3, and 4 without entries
    put_snooze(service_engine, tenant.id, 1, "C1", SOON, "account")  # 5
    drop_list(service_engine, tenant.id, "blocked")  # 6
    snooze = Snooze(1, "account", "C1", SOON_MS)
    assert read(rule_set_at, 0) == RuleSet()
    assert read(rule_set_at, 1) == RuleSet((rule.rule,))
    assert read(rule_set_at, 2) == RuleSet((shadow.rule,))
    assert read(rule_set_at, 4) == RuleSet((shadow.rule,), (made.list,))
    assert read(rule_set_at, 5) == RuleSet((shadow.rule,), (made.list,), (snooze,))
    assert read(rule_set_at, 6) == RuleSet((shadow.rule,), (), (snooze,))


def test_a_list_of_the_name_of_a_removed_one_is_another(
    service_engine: Engine, tenant: Tenant, read: Callable[..., ListIndex]
) -> None:
    put_list(service_engine, tenant.id, values=["C1"])  # 2
    drop_list(service_engine, tenant.id, "blocked")  # 3
    again = put_list(service_engine, tenant.id, values=["C2"])  # 5
    assert again.list.id == 2
    assert found(read(index_at, 2), "C1", "C2") == {"C1": [1]}
    assert found(read(index_at, 3), "C1", "C2") == {}
    assert found(read(index_at, 5), "C1", "C2") == {"C2": [2]}


def test_an_index_has_the_entries_of_its_change_with_their_expiry(
    service_engine: Engine, tenant: Tenant, read: Callable[..., ListIndex]
) -> None:
    made = put_list(service_engine, tenant.id, values=["C1", "ü" * 128])  # 2
    assert put_entries(
        service_engine,
        tenant.id,
        "blocked",
        NewEntry("C1", "again", SOON + timedelta(microseconds=1999)),
        NewEntry("C3", "first"),
        NewEntry("C3", "the last one counts", SOON),
    ) == (1, 1)  # 3
    assert take_out(service_engine, tenant.id, "blocked", "ü" * 128, "C9", "C9") == (1, 1)  # 4
    (kept,) = read(index_at, 2).find("C1")
    assert kept.list_id == made.list.id
    assert found(read(index_at, 2), "C1", "C3", "ü" * 128) == {"C1": [1], "ü" * 128: [1]}
    after = read(index_at, 4)
    assert len(after) == 2
    assert [match.expires_ms for match in after.find("C1")] == [SOON_MS + 1]
    assert [match.expires_ms for match in after.find("C3")] == [SOON_MS]
    assert kept.entry_id != after.find("C1")[0].entry_id
    of_values = read(index_of, 4, ["C1", "C9"])
    assert (len(of_values), of_values.find("C1")) == (1, after.find("C1"))


def test_what_changed_between_two_changes_leads_from_one_index_to_the_other(
    service_engine: Engine, tenant: Tenant, read: Callable[..., Found]
) -> None:
    put_list(service_engine, tenant.id, values=["C1", "C2", "C3"])  # 2
    put_list(service_engine, tenant.id, "trusted", ["C1"], action="approve")  # 4
    put_entries(service_engine, tenant.id, "blocked", NewEntry("C1", "again"))  # 5
    take_out(service_engine, tenant.id, "blocked", "C2")  # 6
    put_entries(service_engine, tenant.id, "blocked", NewEntry("C4", "comes and goes"))  # 7
    take_out(service_engine, tenant.id, "blocked", "C4")  # 8
    drop_list(service_engine, tenant.id, "trusted")  # 9
    values = ["C1", "C2", "C3", "C4"]
    for after in range(10):
        for until in range(after, 10):
            before: ListIndex = read(index_at, after)
            changes = read(entry_changes, after, until, 100)
            ahead: ListIndex = read(index_at, until)
            reached = before.with_changes(changes.added, changes.removed)  # type: ignore[attr-defined]
            assert len(reached) == len(ahead)
            assert {v: sorted(reached.find(v)) for v in values} == {
                v: sorted(ahead.find(v)) for v in values
            }


def test_more_changes_than_asked_for_are_not_read(
    service_engine: Engine, tenant: Tenant, read: Callable[..., object]
) -> None:
    put_list(service_engine, tenant.id, values=["C1", "C2", "C3"])
    assert read(entry_changes, 0, 2, 3) is not None
    assert read(entry_changes, 0, 2, 2) is None


def test_a_reader_never_sees_a_change_before_an_earlier_one(
    service_engine: Engine, tenant: Tenant
) -> None:
    """The second change waits until the first is committed, also where it began earlier."""
    with tenant_transaction(service_engine, tenant.id) as first:
        assert next_change(first, tenant.id) == 1
        with tenant_transaction(service_engine, tenant.id) as second:
            second.exec_driver_sql("SET LOCAL lock_timeout = '100ms'")
            with pytest.raises(Exception, match="lock timeout"):
                next_change(second, tenant.id)
            second.rollback()
    with tenant_transaction(service_engine, tenant.id) as third:
        assert next_change(third, tenant.id) == 2


def found(index: ListIndex, *values: str) -> dict[str, list[int]]:
    """Return the lists that each value is in, of those that are in one."""
    lists = {value: [match.list_id for match in index.find(value)] for value in values}
    return {value: list_ids for value, list_ids in lists.items() if list_ids}
