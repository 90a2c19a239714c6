"""A connection is clean when it is lent again, although the pool resets nothing."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import pytest
from psycopg.pq import TransactionStatus
from sqlalchemy import Engine, text

from persistence.engine import open_database
from persistence.raw_connection import driver_connection
from tests.support.fixture_types import Rows

CLAIM = "INSERT INTO idempotency_keys VALUES (1, 'left', '', gen_random_uuid())"


@pytest.fixture
def engine(database: str) -> Iterator[Engine]:
    """A pool of one connection, so that the next borrower has the same."""
    engine = open_database(database, pool_size=1)
    yield engine
    engine.dispose()


def by_sqlalchemy(engine: Engine) -> None:
    with engine.connect() as connection:
        connection.execute(text(CLAIM))


def by_sqlalchemy_and_failing(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text(CLAIM))
        raise RuntimeError("no")


def by_the_driver(engine: Engine) -> None:
    with driver_connection(engine) as connection:
        connection.execute(CLAIM)


def by_the_driver_in_autocommit_mode_and_failing(engine: Engine) -> None:
    with driver_connection(engine) as connection:
        connection.autocommit = True
        connection.execute("BEGIN")
        connection.execute(CLAIM)
        raise RuntimeError("no")


@pytest.mark.parametrize(
    "borrow",
    [
        by_sqlalchemy,
        by_sqlalchemy_and_failing,
        by_the_driver,
        by_the_driver_in_autocommit_mode_and_failing,
    ],
)
def test_uncommitted_changes_are_rolled_back_before_the_connection_is_lent_again(
    engine: Engine, borrow: Callable[[Engine], None], rows: Rows
) -> None:
    with contextlib.suppress(RuntimeError):
        borrow(engine)
    with driver_connection(engine) as connection:
        assert connection.pgconn.transaction_status == TransactionStatus.IDLE
        assert not connection.autocommit
    assert rows("SELECT FROM idempotency_keys") == []
