"""The maintenance pool, a proxy before Postgres, decisions of a month, and a login."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from uuid import uuid4

import psycopg
import pytest
from sqlalchemy import Engine

from persistence.decisions.rows import Decided
from persistence.engine import OPERATOR_TIMEOUT_S, open_database
from persistence.tenancy import SERVICE_ROLE
from tests.support.data.partition_months import decided_in
from tests.support.fixture_types import MakeTenant
from tests.support.postgres.proxy import Proxy


@pytest.fixture
def proxy(database: str) -> Iterator[Proxy]:
    """A proxy in front of the test's database."""
    with Proxy(database) as proxy:
        yield proxy


@pytest.fixture
def owner(database: str) -> Iterator[Engine]:
    """A pool like that of `sentinel db maintain`."""
    engine = open_database(database, pool_size=2, statement_timeout_s=OPERATOR_TIMEOUT_S)
    yield engine
    engine.dispose()


@pytest.fixture
def decide(engine: Engine, make_tenant: MakeTenant) -> Callable[..., Decided]:
    """A factory of stored decisions of a month, with feedback where `feedback` is true."""
    return partial(decided_in, engine, make_tenant().id)


@pytest.fixture
def execute(database: str) -> Iterator[Callable[[str], None]]:
    """A function that runs statements as the superuser, outside of transactions."""
    with psycopg.connect(database, autocommit=True) as connection:
        yield lambda statement: connection.execute(statement) and None


@pytest.fixture
def login(database: str, execute: Callable[[str], None]) -> Iterator[str]:
    """The URL of a login that may act as the service, in force until the end of the test."""
    name = f"login_{uuid4().hex}"
    execute(f"CREATE ROLE {name} LOGIN PASSWORD 'hunter2' IN ROLE {SERVICE_ROLE}")
    yield f"postgresql://{name}:hunter2@{database.partition('@')[2]}"
    execute(f"DROP ROLE {name}")
