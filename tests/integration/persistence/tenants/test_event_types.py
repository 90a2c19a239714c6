"""A tenant's event type: versions, of which the newest is in force in every process."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from persistence.event_types import (
    UnreadableEventType,
    apply_event_type,
    current_event_type,
    current_event_types,
    list_event_types,
)
from persistence.policies import listen
from persistence.tenancy import tenant_transaction
from persistence.tenants import Tenant
from scoring.errors import IncompatibleEventType
from scoring.event_type.document import from_document, to_document
from scoring.transaction import PAYSIM
from tests.support.data.own_events import SOMEONE, put_in_force
from tests.support.event_types import an_event_type
from tests.support.fixture_types import MakeTenant, Rows

CARDS = an_event_type()
WITH_NOTE = an_event_type(NOTE={"kind": "text", "optional": True})
WITHOUT_CHANNEL = an_event_type(CHANNEL=None)


@pytest.fixture
def tenant(make_tenant: MakeTenant) -> Tenant:
    return make_tenant()


def test_a_tenant_sends_paysims_transactions_until_an_event_type_is_applied(
    service_engine: Engine, tenant: Tenant
) -> None:
    assert current_event_type(service_engine, tenant.id) is None
    assert current_event_types(service_engine) == {}
    assert list_event_types(service_engine, tenant.id) == []


def test_a_compatible_version_is_in_force_and_the_ones_before_are_kept(
    service_engine: Engine, tenant: Tenant, make_tenant: MakeTenant
) -> None:
    other = make_tenant("other")
    first = put_in_force(service_engine, tenant, CARDS)
    second = put_in_force(service_engine, tenant, WITH_NOTE)
    others = put_in_force(service_engine, other, CARDS)
    assert [first.version, second.version, others.version] == [1, 2, 1]
    assert (second.event_type, second.actor) == (WITH_NOTE, SOMEONE.name)
    assert current_event_type(service_engine, tenant.id) == second
    assert current_event_types(service_engine) == {tenant.id: second, other.id: others}
    assert list_event_types(service_engine, tenant.id) == [second, first]


def test_the_one_in_force_again_changes_nothing(
    service_engine: Engine, tenant: Tenant, rows: Rows
) -> None:
    first = put_in_force(service_engine, tenant, CARDS)
    assert put_in_force(service_engine, tenant, CARDS) == first
    assert put_in_force(service_engine, tenant, CARDS, replace=True) == first
    assert len(rows("SELECT FROM event_types")) == 1


def test_the_order_of_fields_is_kept(service_engine: Engine, tenant: Tenant) -> None:
    put_in_force(service_engine, tenant, WITH_NOTE)
    stored = current_event_type(service_engine, tenant.id)
    assert stored is not None
    assert list(stored.event_type.kept) == list(WITH_NOTE.kept)


def test_an_incompatible_version_is_refused_and_changes_nothing(
    service_engine: Engine, tenant: Tenant
) -> None:
    first = put_in_force(service_engine, tenant, CARDS)
    narrower = an_event_type(CHANNEL=None, SHOP={"kind": "category"})
    with pytest.raises(IncompatibleEventType) as caught:
        put_in_force(service_engine, tenant, narrower)
    assert [error.field for error in caught.value.errors] == ["fields.CHANNEL", "fields.SHOP"]
    assert "CHANNEL is removed" in caught.value.detail
    assert current_event_type(service_engine, tenant.id) == first


def test_it_replaces_the_one_in_force_if_that_is_wanted(
    service_engine: Engine, tenant: Tenant
) -> None:
    put_in_force(service_engine, tenant, CARDS)
    replaced = put_in_force(service_engine, tenant, WITHOUT_CHANNEL, replace=True)
    assert replaced.version == 2
    assert current_event_type(service_engine, tenant.id) == replaced


def test_of_two_that_are_applied_at_once_the_second_is_compared_with_the_first(
    service_engine: Engine, tenant: Tenant
) -> None:
    put_in_force(service_engine, tenant, CARDS)
    has_applied, may_commit = threading.Event(), threading.Event()

    def first() -> int:
        with tenant_transaction(service_engine, tenant.id, actor=SOMEONE) as connection:
            stored, _ = apply_event_type(connection, tenant.id, WITH_NOTE, SOMEONE)
            has_applied.set()
            assert may_commit.wait(10)
        return stored.version

    def second() -> int:
        other = an_event_type(MEMO={"kind": "text", "optional": True})
        return put_in_force(service_engine, tenant, other).version

    with ThreadPoolExecutor(2) as threads:
        applied = threads.submit(first)
        assert has_applied.wait(10)
        waiting = threads.submit(second)
        threading.Timer(0.3, may_commit.set).start()
        assert applied.result() == 2
        with pytest.raises(IncompatibleEventType, match="NOTE is removed"):
            waiting.result()
    assert [one.version for one in list_event_types(service_engine, tenant.id)] == [2, 1]


def test_many_at_once_have_each_a_version_of_its_own(
    service_engine: Engine, tenant: Tenant
) -> None:
    def apply(number: int) -> int:
        event_type = an_event_type(**{f"F{number}": {"kind": "number", "optional": True}})
        return put_in_force(service_engine, tenant, event_type, replace=True).version

    with ThreadPoolExecutor(4) as threads:
        assert sorted(threads.map(apply, range(8))) == list(range(1, 9))


def test_an_application_does_not_wait_for_another_tenants(
    service_engine: Engine, tenant: Tenant, make_tenant: MakeTenant
) -> None:
    other = make_tenant("other")
    with tenant_transaction(service_engine, tenant.id, actor=SOMEONE) as connection:
        apply_event_type(connection, tenant.id, CARDS, SOMEONE)
        assert put_in_force(service_engine, other, CARDS).version == 1


def test_every_version_is_in_the_audit_log_with_the_one_before(
    service_engine: Engine, tenant: Tenant, rows: Rows
) -> None:
    put_in_force(service_engine, tenant, CARDS)
    put_in_force(service_engine, tenant, WITHOUT_CHANNEL, replace=True)
    first, second = rows("SELECT * FROM audit_log WHERE action LIKE 'event_type.%' ORDER BY id")
    assert (first["action"], first["object"]) == ("event_type.created", "event-type")
    assert (first["actor"], first["via"]) == (SOMEONE.name, SOMEONE.via)
    assert first["before"] is None
    assert second["before"] == first["after"]
    assert second["after"]["document"] == to_document(WITHOUT_CHANNEL)


def test_a_tamperer_leaves_an_audit_entry(engine: Engine, tenant: Tenant, rows: Rows) -> None:
    put_in_force(engine, tenant, CARDS)
    with tenant_transaction(engine, tenant.id) as connection:
        connection.execute(text("UPDATE event_types SET actor = 'another'"))
    actions = [row["action"] for row in rows("SELECT action FROM audit_log ORDER BY id")]
    assert actions[-2:] == ["event_type.created", "event_type.changed"]


def test_another_tenants_event_type_is_neither_read_nor_written(
    service_engine: Engine, tenant: Tenant, make_tenant: MakeTenant
) -> None:
    other = make_tenant("other")
    put_in_force(service_engine, other, CARDS)
    with tenant_transaction(service_engine, tenant.id) as connection:
        assert connection.execute(text("SELECT count(*) FROM event_types")).scalar_one() == 0
    with (
        pytest.raises(DBAPIError, match="row-level security"),
        tenant_transaction(service_engine, tenant.id, actor=SOMEONE) as connection,
    ):
        apply_event_type(connection, other.id, WITH_NOTE, SOMEONE)


def test_a_version_is_announced_when_it_is_committed(
    service_engine: Engine, tenant: Tenant
) -> None:
    with listen(service_engine) as changes:
        with tenant_transaction(service_engine, tenant.id, actor=SOMEONE) as connection:
            apply_event_type(connection, tenant.id, CARDS, SOMEONE)
            assert list(changes.wait(0.1)) == []
        assert list(changes.wait(5)) == [tenant.id]


def test_a_document_of_a_later_release_is_that_tenants_error_alone(
    engine: Engine, service_engine: Engine, tenant: Tenant, make_tenant: MakeTenant
) -> None:
    other = make_tenant("other")
    put_in_force(service_engine, other, CARDS)
    with tenant_transaction(engine, tenant.id) as connection:
        connection.execute(
            text(
                "INSERT INTO event_types (tenant_id, version, document, actor)"
                """ VALUES (:id, 1, '{"name": "later", "fields": {"x": {"kind": "image"}}}', 'x')"""
            ),
            {"id": tenant.id},
        )
    with pytest.raises(UnreadableEventType, match=r"fields\.x\.kind"):
        current_event_type(service_engine, tenant.id)
    found = current_event_types(service_engine)
    assert isinstance(found[tenant.id], UnreadableEventType)
    stored = found[other.id]
    assert not isinstance(stored, UnreadableEventType)
    assert stored.event_type == CARDS


def test_paysims_event_type_after_another_one_is_the_built_in_one(
    engine: Engine, service_engine: Engine, tenant: Tenant
) -> None:
    put_in_force(engine, tenant, an_event_type())
    again = from_document(to_document(PAYSIM))
    with tenant_transaction(engine, tenant.id, actor=SOMEONE) as connection:
        apply_event_type(connection, tenant.id, again, SOMEONE, replace=True)
    stored = current_event_type(service_engine, tenant.id)
    assert stored
    assert stored.event_type is PAYSIM
