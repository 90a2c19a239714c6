"""Rules, lists, entries and snoozes are made and ended, never edited, and audited."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from persistence.policies import CHANNEL
from persistence.rules.entries import add_entries, read_entries
from persistence.rules.lists import list_named, stored_lists
from persistence.rules.rules import rule_versions
from persistence.rules.snoozes import end_snooze, going_on
from persistence.tenancy import tenant_transaction
from persistence.tenants import Tenant
from scoring.errors import InUse, InvalidRequest, NotFound, StoreMisconfigured
from scoring.lists.entry_rows import NewEntry
from tests.support.data.own_events import CardTenant
from tests.support.data.rules import (
    ANALYST,
    drop_list,
    put_entries,
    put_list,
    put_rule,
    put_snooze,
    put_version,
    take_out,
)
from tests.support.event_types import an_event_type
from tests.support.fixture_types import MakeTenant, Rows

LATER = datetime.now(UTC) + timedelta(days=7)


@pytest.fixture
def tenant(make_tenant: MakeTenant) -> Tenant:
    return make_tenant()


def test_every_version_of_a_rule_stays(service_engine: Engine, tenant: Tenant) -> None:
    first = put_rule(service_engine, tenant.id)
    second = put_version(service_engine, tenant.id, first, state="off")
    assert (first.rule.key, second.rule.key, second.actor) == ((1, 1), (1, 2), "ana")
    with tenant_transaction(service_engine, tenant.id) as connection:
        assert rule_versions(connection, tenant.id, 1) == [second, first]
        with pytest.raises(NotFound, match="no rule 2"):
            rule_versions(connection, tenant.id, 2)


def test_a_change_of_a_version_that_is_not_in_force_is_refused(
    service_engine: Engine, tenant: Tenant
) -> None:
    first = put_rule(service_engine, tenant.id)
    put_version(service_engine, tenant.id, first, state="off")
    with pytest.raises(InvalidRequest) as refused:
        put_version(service_engine, tenant.id, first, state="shadow")
    (error,) = refused.value.errors
    assert (error.field, "version 2 is in force" in error.message) == ("version", True)


def test_a_rule_has_a_name_of_its_own_and_names_lists_that_there_are(
    service_engine: Engine, tenant: Tenant
) -> None:
    put_rule(service_engine, tenant.id)
    with pytest.raises(InvalidRequest, match="name"):
        put_rule(service_engine, tenant.id)
    condition = "in_list('watched', nameOrig)"
    with pytest.raises(InvalidRequest, match="condition"):
        put_rule(service_engine, tenant.id, name="other", condition=condition)
    put_list(service_engine, tenant.id, "watched", action=None)
    put_rule(service_engine, tenant.id, name="other", condition=condition)


def test_all_rules_together_have_at_most_a_hundred_windows(
    service_engine: Engine, engine: Engine
) -> None:
    cards = CardTenant(engine, an_event_type())

    def windows(first: int, count: int) -> str:
        numbers = range(first, first + count)
        return " or ".join(f"count(by=CUSTOMER_ID, window='{n}h') > 9" for n in numbers)

    put_rule(service_engine, cards.id, name="a", condition=windows(1, 60))
    rule = put_rule(service_engine, cards.id, name="b", condition=windows(41, 60))
    with pytest.raises(InvalidRequest) as refused:
        put_rule(service_engine, cards.id, name="c", condition=windows(500, 1))
    assert "too many windows" in refused.value.errors[0].message
    with pytest.raises(InvalidRequest):
        put_version(service_engine, cards.id, rule, condition=windows(42, 60))
    put_rule(service_engine, cards.id, name="c", condition=windows(500, 1), state="off")


def test_a_list_stays_while_a_rule_reads_it(service_engine: Engine, tenant: Tenant) -> None:
    put_list(service_engine, tenant.id, "watched", ["C1"], action=None)
    rule = put_rule(service_engine, tenant.id, condition="in_list('watched', nameOrig)")
    with pytest.raises(InUse, match=r"Rule 1 \(large\)"):
        drop_list(service_engine, tenant.id, "watched")
    put_version(service_engine, tenant.id, rule, state="off")
    drop_list(service_engine, tenant.id, "watched")
    with (
        tenant_transaction(service_engine, tenant.id) as connection,
        pytest.raises(NotFound, match="'watched'"),
    ):
        list_named(connection, tenant.id, "watched")


def test_two_lists_have_two_names(service_engine: Engine, tenant: Tenant) -> None:
    put_list(service_engine, tenant.id, "blocked", ["C1", "C2"])
    with pytest.raises(InvalidRequest, match="name"):
        put_list(service_engine, tenant.id, "blocked")
    put_list(service_engine, tenant.id, "a-trusted-one", action="approve", fields=("nameDest",))
    with tenant_transaction(service_engine, tenant.id) as connection:
        lists = stored_lists(connection, tenant.id)
    assert [(one.list.name, one.entries, one.list.fields) for one in lists] == [
        ("a-trusted-one", 0, ("nameDest",)),
        ("blocked", 2, None),
    ]


def test_the_number_of_entries_follows_every_change(
    service_engine: Engine, tenant: Tenant, rows: Rows
) -> None:
    put_list(service_engine, tenant.id, "blocked", ["C1", "C2", "C3"])
    put_list(service_engine, tenant.id, "other", ["C1"])
    with tenant_transaction(service_engine, tenant.id, actor=ANALYST) as connection:
        again = [NewEntry("C1", "once more", None), NewEntry("C4", "new", None)]
        assert add_entries(connection, tenant.id, "blocked", again, ANALYST) == (1, 1)
    take_out(service_engine, tenant.id, "blocked", "C2")
    with tenant_transaction(service_engine, tenant.id) as connection:
        lists = {one.list.name: one.entries for one in stored_lists(connection, tenant.id)}
    assert lists == {"blocked": 3, "other": 1}
    counted = rows("SELECT count(*) AS n FROM list_entries WHERE removed_change IS NULL")
    assert counted == [{"n": sum(lists.values())}]


def test_entries_are_read_by_page_and_by_value(service_engine: Engine, tenant: Tenant) -> None:
    put_list(service_engine, tenant.id, values=[f"C{i}" for i in range(7)])
    put_list(service_engine, tenant.id, "other", values=["C1"])
    seen: list[str] = []
    before = None
    with tenant_transaction(service_engine, tenant.id) as connection:
        while True:
            page = read_entries(connection, tenant.id, "blocked", limit=3, before=before)
            seen += [entry.value for entry in page.entries]
            if page.next is None:
                break
            before = page.next
        (one,) = read_entries(connection, tenant.id, "blocked", value="C1", limit=3).entries
    assert sorted(seen) == [f"C{i}" for i in range(7)]
    assert (one.value, one.reason, one.actor, one.expires_at) == ("C1", "chargebacks", "ana", None)


def test_what_was_ended_is_not_ended_again(service_engine: Engine, tenant: Tenant) -> None:
    put_list(service_engine, tenant.id, values=["C1"])
    take_out(service_engine, tenant.id, "blocked", "C1")
    with (
        pytest.raises(DBAPIError, match="set already"),
        tenant_transaction(service_engine, tenant.id) as connection,
    ):
        connection.execute(text("UPDATE list_entries SET removed_change = 1"))


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE rules SET condition = 'amount > 1'",
        "UPDATE list_entries SET value = 'C2'",
        "UPDATE lists SET action = 'approve'",
        "UPDATE rule_snoozes SET until = now()",
        "DELETE FROM rules",
        "DELETE FROM list_entries",
        "DELETE FROM rule_changes",
    ],
)
def test_the_service_may_edit_and_delete_nothing(
    service_engine: Engine, tenant: Tenant, statement: str
) -> None:
    put_list(service_engine, tenant.id, values=["C1"])
    with (
        pytest.raises(StoreMisconfigured, match="permission denied"),
        tenant_transaction(service_engine, tenant.id) as connection,
    ):
        connection.execute(text(statement))


def test_a_snooze_goes_on_until_it_is_ended(service_engine: Engine, tenant: Tenant) -> None:
    put_rule(service_engine, tenant.id)
    made = put_snooze(service_engine, tenant.id, 1, "C1", LATER, "account")
    put_snooze(service_engine, tenant.id, 1, "C2", datetime(2020, 1, 1, tzinfo=UTC), "account")
    with tenant_transaction(service_engine, tenant.id) as connection:
        assert going_on(connection, tenant.id) == [made]
        end_snooze(connection, tenant.id, 1, made.id)
        assert going_on(connection, tenant.id) == []
        with pytest.raises(NotFound, match="no snooze 1"):
            end_snooze(connection, tenant.id, 1, made.id)
    with pytest.raises(NotFound, match="no rule 9"):
        put_snooze(service_engine, tenant.id, 9, "C1", LATER, "account")


def test_each_change_is_audited_with_what_was_before(
    service_engine: Engine, tenant: Tenant, rows: Rows
) -> None:
    rule = put_rule(service_engine, tenant.id)
    put_version(service_engine, tenant.id, rule, state="off")
    put_list(service_engine, tenant.id, values=["C1"])
    put_entries(service_engine, tenant.id, "blocked", NewEntry("C2", "a"), NewEntry("C3", "b"))
    take_out(service_engine, tenant.id, "blocked", "C1")
    put_snooze(service_engine, tenant.id, 1, "C1", LATER, "account")
    drop_list(service_engine, tenant.id, "blocked")
    entries = rows(
        "SELECT * FROM audit_log WHERE tenant_id = :t AND actor = 'ana' ORDER BY id", t=tenant.id
    )
    assert [(e["action"], e["object"]) for e in entries] == [
        ("rule.created", "rules/1"),
        ("rule.changed", "rules/1"),
        ("list.created", "lists/blocked"),
        ("list_entries.created", "lists/blocked"),
        ("list_entries.created", "lists/blocked"),
        ("list_entries.removed", "lists/blocked"),
        ("snooze.created", "rules/1"),
        ("list_entries.removed", "lists/blocked"),
        ("list.changed", "lists/blocked"),
    ]
    _, changed, _, one, two, removed, *_ = entries
    assert (changed["before"]["state"], changed["after"]["state"]) == ("live", "off")
    assert pick(one["after"]) == {"count": 1, "value": "C1", "reason": "chargebacks"}
    assert pick(two["after"]) == {"count": 2}
    assert pick(removed["before"]) == {"count": 1, "value": "C1", "reason": "chargebacks"}
    assert {e["via"] for e in entries} == {ANALYST.via}


def pick(summary: dict[str, Any]) -> dict[str, Any]:
    """Return a summary of entries without their ids."""
    return {name: value for name, value in summary.items() if not name.endswith("_id")}


def test_a_change_notifies_the_processes(
    service_engine: Engine, tenant: Tenant, database: str
) -> None:
    with psycopg.connect(database, autocommit=True) as listener:
        listener.execute(f"LISTEN {CHANNEL}")
        put_rule(service_engine, tenant.id)
        (notification,) = listener.notifies(timeout=5, stop_after=1)
    assert notification.payload == str(tenant.id)


def test_a_hundred_thousand_entries_are_one_change(
    service_engine: Engine, tenant: Tenant, rows: Rows
) -> None:
    values = [f"C{i}" for i in range(100_000)]
    put_list(service_engine, tenant.id, values=values)
    with tenant_transaction(service_engine, tenant.id) as connection:
        (blocked,) = stored_lists(connection, tenant.id)
    assert blocked.entries == len(values)
    assert len(rows("SELECT FROM rule_changes")) == 2
    assert take_out(service_engine, tenant.id, "blocked", *values) == (len(values), 0)


def test_a_page_of_entries_does_not_read_those_that_were_removed(
    service_engine: Engine, engine: Engine, tenant: Tenant
) -> None:
    values = [f"C{i}" for i in range(5000)]
    put_list(service_engine, tenant.id, values=values)
    with tenant_transaction(engine, tenant.id) as connection:
        connection.execute(text("ANALYZE list_entries"))
    take_out(service_engine, tenant.id, "blocked", *values[1:])
    page = (
        "SELECT id FROM list_entries WHERE tenant_id = :t AND list_id = 1"
        " AND removed_change IS NULL ORDER BY id DESC LIMIT 10"
    )
    with tenant_transaction(engine, tenant.id) as connection:
        explained = connection.execute(text(f"EXPLAIN ANALYZE {page}"), {"t": tenant.id})
        plan = "\n".join(explained.scalars())
    assert "rows=1.00" in plan
    assert "Rows Removed by Filter" not in plan
