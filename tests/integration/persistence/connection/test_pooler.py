"""Behind a PgBouncer every transaction has the service's role and time-outs, and nothing stays.

It has one server connection, so each client meets what the one before has left on it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row
from sqlalchemy import Engine, text

from persistence.connection.connector import Connector
from persistence.connection.settings import service_session
from persistence.decisions.shadow_scores import ShadowLog, ShadowScore
from persistence.decisions.writer import DecisionLog
from persistence.engine import open_database, transaction, verify_session
from persistence.maintenance import migrate
from persistence.policies import listen
from persistence.raw_connection import driver_connection
from persistence.tenancy import SERVICE_ROLE, tenant_transaction
from persistence.tenants import Tenant
from scoring.errors import StoreMisconfigured, StoreUnavailable
from scoring.prediction import ModelVersion
from tests.support.factories import a_decision
from tests.support.fixture_types import MakeTenant, Rows
from tests.support.postgres.pgbouncer import Pooler, pooled

MODES: dict[str, dict[str, Any]] = {
    "transaction": {"pool_mode": "transaction"},
    "session": {"pool_mode": "session", "default_pool_size": 10},
    "ignoring": {"pool_mode": "transaction", "ignore_startup_parameters": "options"},
}
WHO = (
    "SELECT current_user::text AS role, current_setting('statement_timeout') AS statement,"
    " current_setting('transaction_timeout') AS transaction,"
    " current_setting('lock_timeout') AS lock, current_setting('TimeZone') AS zone"
)
SERVICE = {
    "role": SERVICE_ROLE,
    "statement": "5s",
    "transaction": "30s",
    "lock": "0",
    "zone": "UTC",
}


@pytest.fixture(params=MODES)
def bouncer(
    request: pytest.FixtureRequest,
    database: str,
    make_home: Callable[[], Path],
    free_port: Callable[[], int],
) -> Iterator[str]:
    """The URL of the test's database through a PgBouncer, in each mode."""
    with pooled(database, make_home(), free_port(), **MODES[request.param]) as pooler:
        yield pooler.url


@pytest.fixture
def pooler(
    database: str, make_home: Callable[[], Path], free_port: Callable[[], int]
) -> Iterator[Pooler]:
    """A PgBouncer before the test's database that pools transactions."""
    with pooled(database, make_home(), free_port()) as pooler:
        yield pooler


@pytest.fixture
def tenant(make_tenant: MakeTenant) -> Tenant:
    return make_tenant()


def store(engine: Engine, tenant_id: int, number: int) -> None:
    """Store decisions in each of the ways in which the service does."""
    log = DecisionLog(engine)
    first = a_decision(tenant_id, external_id=f"order-{number}")
    assert log.write([first, a_decision(tenant_id)])[0] is first
    (again,) = log.write([a_decision(tenant_id, external_id=f"order-{number}")])
    assert again.prediction_id == first.prediction_id  # type: ignore[union-attr]
    on_loop = a_decision(tenant_id, external_id=f"loop-{number}")
    assert asyncio.run(log.write_on_loop(on_loop)) is on_loop
    for key in (None, f"whole-{number}", f"whole-{number}"):
        whole = [[a_decision(tenant_id, external_id=key)]]
        assert len(log.write_whole({tenant_id}, whole, has_keys=bool(key))) == 1
    score = ShadowScore(
        tenant_id, first.prediction_id, ModelVersion("fraud-demo", 1), 0.0, 0.5, 0.5, "approve"
    )
    ShadowLog(engine).write([score])


def test_the_service_works_and_works_again_after_a_restart(
    bouncer: str, tenant: Tenant, rows: Rows
) -> None:
    for number in range(2):
        engine = open_database(bouncer, role=SERVICE_ROLE)
        verify_session(engine)
        store(engine, tenant.id, number)
        engine.dispose()
    assert rows("SELECT count(*) FROM predictions") == [{"count": 10}]
    assert rows("SELECT count(*) FROM shadow_scores") == [{"count": 2}]


def test_every_kind_of_transaction_acts_as_the_service_with_its_time_outs(bouncer: str) -> None:
    engine = open_database(bouncer, role=SERVICE_ROLE)
    for _ in range(2):
        with engine.connect() as connection:
            for _ in range(2):
                assert dict(connection.execute(text(WHO)).mappings().one()) == SERVICE
                connection.rollback()
        with tenant_transaction(engine, 1) as connection:
            assert dict(connection.execute(text(WHO)).mappings().one()) == SERVICE
        with driver_connection(engine) as driver, driver.cursor(row_factory=dict_row) as cursor:
            assert cursor.execute(WHO).fetchone() == SERVICE
            driver.rollback()
            with driver.pipeline():
                cursor.execute(WHO)
                assert cursor.fetchone() == SERVICE
    engine.dispose()


def test_statements_without_a_transaction_are_impossible(bouncer: str) -> None:
    with Connector(bouncer, service_session())() as connection:
        with pytest.raises(psycopg.ProgrammingError, match="no autocommit"):
            connection.autocommit = True
        assert not connection.autocommit


def test_what_another_client_has_left_changes_nothing(
    pooler: Pooler, tenant: Tenant, rows: Rows
) -> None:
    with psycopg.connect(pooler.url, autocommit=True) as other:
        for statement in (
            "PREPARE insert AS SELECT 1",
            "PREPARE set_tenants AS SELECT 1",
            "PREPARE _pg3_0 AS SELECT 1",
            "SET statement_timeout = 1",
            "SET lock_timeout = 1",
            "SET search_path = nowhere, public",
            "SET sentinel.tenant_ids = '7'",
        ):
            other.execute(statement)
        engine = open_database(pooler.url, role=SERVICE_ROLE)
        store(engine, tenant.id, 0)
        engine.dispose()
    assert rows("SELECT count(*) FROM predictions") == [{"count": 5}]


def test_nothing_of_the_service_is_left_for_another_client(pooler: Pooler, tenant: Tenant) -> None:
    engine = open_database(pooler.url, role=SERVICE_ROLE)
    store(engine, tenant.id, 0)
    with psycopg.connect(pooler.url, autocommit=True, row_factory=dict_row) as other:
        left = other.execute(WHO).fetchone()
        assert left
        assert left["role"] == "sentinel"
        assert left["statement"] == left["transaction"] == "0"
        assert other.execute("SELECT name FROM pg_prepared_statements").fetchall() == []
        assert other.execute("SELECT current_setting('sentinel.tenant_ids')").fetchone() == {
            "current_setting": ""
        }
    engine.dispose()


def test_decisions_are_stored_in_one_round_trip_of_unnamed_statements(
    pooler: Pooler, tenant: Tenant
) -> None:
    engine = open_database(pooler.url, role=SERVICE_ROLE)
    log = DecisionLog(engine)
    log.write([a_decision(tenant.id)])
    with pooler.proxy.watch() as traffic:
        log.write([a_decision(tenant.id, external_id="order-1"), a_decision(tenant.id)])
    assert (traffic.round_trips, traffic.messages["P"], traffic.messages["E"]) == (1, 3, 3)
    assert SERVICE_ROLE in traffic.statements[0]
    engine.dispose()


def test_migrations_and_maintenance_leave_no_lock_and_no_setting(
    make_database: Callable[..., str],
    make_home: Callable[[], Path],
    free_port: Callable[[], int],
) -> None:
    database = make_database()
    # Maintenance holds its lock on a connection of its own.
    with pooled(database, make_home(), free_port(), default_pool_size=2) as pooler:
        url = pooler.url
        for _ in range(2):
            assert migrate.upgrade(url) == migrate.head_revision()
        with psycopg.connect(url, autocommit=True) as one, psycopg.connect(url) as two:
            two.execute("BEGIN")  # keeps the first server connection, so `one` gets the other
            for client in (one, two):
                assert client.execute("SHOW lock_timeout").fetchone() == ("0",)
                assert client.execute("SHOW statement_timeout").fetchone() == ("0",)
        with psycopg.connect(database) as direct:
            locks = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND classid = 343623"
            assert direct.execute(locks).fetchone() == (0,)


def test_options_of_the_url_are_in_force(bouncer: str, database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA fraud")
        connection.execute(f"GRANT USAGE ON SCHEMA fraud TO {SERVICE_ROLE}")
    engine = open_database(f"{bouncer}?options=-csearch_path%3Dfraud", role=SERVICE_ROLE)
    for _ in range(2):
        with transaction(engine) as connection:
            assert connection.execute(text("SELECT current_schema()")).scalar_one() == "fraud"
    engine.dispose()
    with pytest.raises(StoreMisconfigured, match="does not pass options"):
        Connector(f"{bouncer}?options=-e", service_session())()


def test_notifications_are_not_waited_for_in_vain(pooler: Pooler) -> None:
    engine = open_database(pooler.url, role=SERVICE_ROLE, pool_size=1)
    for _ in range(2):
        with pytest.raises(StoreUnavailable, match="does not pass notifications"), listen(engine):
            pass
    verify_session(engine)
    engine.dispose()


@pytest.mark.parametrize(
    ("settings", "change", "sentence"),
    [
        ({"pool_mode": "statement"}, {}, "works per statement"),
        ({}, {"sentinel:": "nobody:"}, "refuses the login"),
        ({}, {"/test_": "/none_"}, "does not exist|no such database"),
    ],
)
def test_what_a_pooler_refuses_is_named(
    database: str,
    make_home: Callable[[], Path],
    free_port: Callable[[], int],
    settings: dict[str, str],
    change: dict[str, str],
    sentence: str,
) -> None:
    with pooled(database, make_home(), free_port(), **settings) as pooler:
        url = pooler.url
        password = url.partition("sentinel:")[2].partition("@")[0]
        for old, new in change.items():
            url = url.replace(old, new)
        with pytest.raises(StoreUnavailable, match=sentence) as refused:
            Connector(url, service_session())()
    assert password not in str(refused.value)
