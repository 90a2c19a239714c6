"""What several tests of persistence need."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import pytest
from sqlalchemy import Engine

from persistence.decisions.rows import Decided
from persistence.engine import OPERATOR_TIMEOUT_S, open_database
from tests.support.fixture_types import MakeTenant
from tests.support.partition_months import decided_in


@pytest.fixture
def owner(database: str) -> Iterator[Engine]:
    """The pool that `sentinel db maintain` has."""
    engine = open_database(database, pool_size=1, statement_timeout_s=OPERATOR_TIMEOUT_S)
    yield engine
    engine.dispose()


@pytest.fixture
def decide(engine: Engine, make_tenant: MakeTenant) -> Callable[..., Decided]:
    """A factory of stored decisions of a month, with feedback when asked for."""
    return partial(decided_in, engine, make_tenant().id)
