"""`has_free_connection` is true when the pool has an idle connection that works."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

from persistence.pool import CountingPool

MakePool = Callable[..., CountingPool]


@pytest.fixture
def make_pool(postgres_url: str) -> Iterator[MakePool]:
    """A factory of pools."""
    made: list[CountingPool] = []

    def make(**settings: Any) -> CountingPool:
        known = {"pool_size": 2, "max_overflow": 0, "use_lifo": True, "reset_on_return": None}
        made.append(CountingPool(lambda: psycopg.connect(postgres_url), **known | settings))
        return made[-1]

    yield make
    for pool in made:
        pool.dispose()


def test_a_new_pool_has_no_free_connection(make_pool: MakePool) -> None:
    assert not make_pool().has_free_connection()


def test_a_returned_connection_is_free_until_it_is_taken(make_pool: MakePool) -> None:
    pool = make_pool()
    pool.connect().close()
    assert pool.has_free_connection()
    taken = pool.connect()
    assert not pool.has_free_connection(), "the other one is still to be opened"
    taken.close()
    assert pool.has_free_connection()


def test_a_broken_connection_is_not_free(make_pool: MakePool) -> None:
    pool = make_pool()
    broken = pool.connect()
    broken.invalidate()
    broken.close()
    assert not pool.has_free_connection()


def test_a_connection_due_for_recycling_is_not_free(make_pool: MakePool) -> None:
    pool = make_pool(recycle=1)
    pool.connect().close()
    assert not pool.has_free_connection()


def test_a_disposed_pool_has_no_free_connection(make_pool: MakePool) -> None:
    pool = make_pool()
    pool.connect().close()
    pool.dispose()
    assert not pool.recreate().has_free_connection()
