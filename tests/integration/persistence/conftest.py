"""The maintenance pool, a proxy before Postgres, and decisions of a month."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import pytest
from sqlalchemy import Engine

from persistence.decisions.rows import Decided
from persistence.engine import OPERATOR_TIMEOUT_S, open_database
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
