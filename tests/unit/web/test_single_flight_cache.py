"""The cache calls once for concurrent callers, keeps an answer for a time, and bounds its size."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from scoring.errors import StoreUnavailable
from web.single_flight_cache import SingleFlightCache


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


class Oracle:
    """Answers with how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0
        self.away = False

    async def __call__(self) -> int:
        self.asked += 1
        answer = self.asked
        await asyncio.sleep(0)
        if self.away:
            raise StoreUnavailable("away")
        return answer


def with_recent(
    story: Callable[[SingleFlightCache, Clock, Oracle], Awaitable[Any]], most: int = 4
) -> None:
    async def run() -> None:
        clock = Clock()
        await story(SingleFlightCache(30, most, clock), clock, Oracle())

    asyncio.run(run())


def test_a_cached_answer_is_used_until_it_expires() -> None:
    async def story(recent: SingleFlightCache, clock: Clock, oracle: Oracle) -> None:
        assert await recent.get("a", oracle) == 1
        clock.now_s = 29.9
        assert await recent.get("a", oracle) == 1
        clock.now_s = 30
        assert await recent.get("a", oracle) == 2

    with_recent(story)


def test_each_key_has_its_own_answer() -> None:
    async def story(recent: SingleFlightCache, _clock: Clock, oracle: Oracle) -> None:
        assert await recent.get((1, "a"), oracle) == 1
        assert await recent.get((2, "a"), oracle) == 2

    with_recent(story)


def test_concurrent_callers_share_one_call() -> None:
    async def story(recent: SingleFlightCache, _clock: Clock, oracle: Oracle) -> None:
        answers = await asyncio.gather(*(recent.get("a", oracle) for _ in range(20)))
        assert answers == [1] * 20

    with_recent(story)


def test_a_failure_reaches_every_waiting_caller_and_is_not_cached() -> None:
    async def story(recent: SingleFlightCache, _clock: Clock, oracle: Oracle) -> None:
        oracle.away = True
        both = await asyncio.gather(
            recent.get("a", oracle), recent.get("a", oracle), return_exceptions=True
        )
        assert [type(failure) for failure in both] == [StoreUnavailable] * 2
        oracle.away = False
        assert await recent.get("a", oracle) == 2

    with_recent(story)


def test_a_cancelled_caller_leaves_the_answer_to_the_others() -> None:
    async def story(recent: SingleFlightCache, _clock: Clock, oracle: Oracle) -> None:
        first = asyncio.create_task(recent.get("a", oracle))
        await asyncio.sleep(0)
        second = asyncio.create_task(recent.get("a", oracle))
        await asyncio.sleep(0)
        first.cancel()
        assert await second == 1
        with pytest.raises(asyncio.CancelledError):
            await first

    with_recent(story)


def test_the_oldest_answer_is_evicted_at_the_limit() -> None:
    async def story(recent: SingleFlightCache, clock: Clock, oracle: Oracle) -> None:
        for i in range(5):
            clock.now_s = i
            await recent.get(i, oracle)
        assert await recent.get(4, oracle) == 5
        assert await recent.get(0, oracle) == 6

    with_recent(story)
