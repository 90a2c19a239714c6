"""Connections whose prepared statements Postgres has forgotten, as behind some poolers."""

from __future__ import annotations

import psycopg
import pytest
from sqlalchemy import text

from persistence.engine import open_database, transaction
from persistence.tenancy import SERVICE_ROLE, tenant_transaction
from scoring.errors import StoreBusy
from tests.support.fixture_types import MakeTenant
from tests.support.postgres.proxy import Proxy

READ = text("SELECT count(*) FROM predictions WHERE tenant_id = :tenant_id")


def test_a_statement_that_postgres_has_forgotten_is_busy_once_and_then_works(
    database: str, make_tenant: MakeTenant
) -> None:
    tenant_id = make_tenant().id
    with Proxy(database) as proxy:
        engine = open_database(proxy.url, role=SERVICE_ROLE, pool_size=1)

        def read() -> int:
            with tenant_transaction(engine, tenant_id) as connection:
                return int(connection.execute(READ, {"tenant_id": tenant_id}).scalar_one())

        for _ in range(8):  # psycopg prepares what it has executed five times
            read()
        for _ in range(2):
            proxy.forget_statements()
            with pytest.raises(StoreBusy, match="forgotten its prepared statements"):
                read()
            assert [read() for _ in range(8)] == [0] * 8
        engine.dispose()


def test_a_statement_of_the_driver_is_busy_once_and_then_works(database: str) -> None:
    with Proxy(database) as proxy:
        engine = open_database(proxy.url, pool_size=1)

        def read() -> object:
            with transaction(engine) as connection:
                driver = connection.connection.driver_connection
                assert isinstance(driver, psycopg.Connection)
                return driver.execute("SELECT 1").fetchone()

        for _ in range(8):
            read()
        proxy.forget_statements()
        with pytest.raises(StoreBusy):
            read()
        assert [read() for _ in range(8)] == [(1,)] * 8
        engine.dispose()
