"""A sealed log on the test's database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import Engine

from persistence.decisions.rows import Decided
from persistence.tenants import Tenant
from tests.support.data.sealed import SealedLog, Tamper, end_what_ends, put_every_kind
from tests.support.fixture_types import MakeTenant


@pytest.fixture
def log(owner: Engine, tmp_path: Path) -> SealedLog:
    return SealedLog(owner, tmp_path / "heads")


@pytest.fixture
def tamper(database: str) -> Iterator[Tamper]:
    """A function that runs a statement as the superuser, without triggers: the row count."""
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")
        yield lambda statement, *values: connection.execute(statement, values).rowcount


@pytest.fixture
def tenant(make_tenant: MakeTenant) -> Tenant:
    return make_tenant()


@pytest.fixture
def decided(engine: Engine, tenant: Tenant, log: SealedLog) -> Decided:
    """A decision among sealed rows of every kind, which are whole before the test begins."""
    decided = put_every_kind(engine, tenant)
    end_what_ends(engine, tenant.id)
    log.seal()
    return decided
