"""A connection is at hand where taking it takes no time."""

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


def test_none_is_before_one_was_opened(make_pool: MakePool) -> None:
    assert not make_pool().is_at_hand()


def test_one_that_was_given_back_is_until_it_is_taken(make_pool: MakePool) -> None:
    pool = make_pool()
    pool.connect().close()
    assert pool.is_at_hand()
    taken = pool.connect()
    assert not pool.is_at_hand(), "the other one is still to be opened"
    taken.close()
    assert pool.is_at_hand()


def test_one_that_broke_is_not(make_pool: MakePool) -> None:
    pool = make_pool()
    broken = pool.connect()
    broken.invalidate()
    broken.close()
    assert not pool.is_at_hand()


def test_one_that_is_due_to_be_opened_anew_is_not(make_pool: MakePool) -> None:
    pool = make_pool(recycle=1)
    pool.connect().close()
    assert not pool.is_at_hand()


def test_after_all_were_given_up_none_is(make_pool: MakePool) -> None:
    pool = make_pool()
    pool.connect().close()
    pool.dispose()
    assert not pool.recreate().is_at_hand()
