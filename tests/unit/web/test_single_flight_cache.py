"""The cache calls once for concurrent callers, keeps an answer for a time, and bounds its size."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from scoring.errors import StoreUnavailable
from web.single_flight_cache import SingleFlightCache

Story = Callable[[SingleFlightCache[int], "Clock", "Loader"], Awaitable[Any]]


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


class Loader:
    """Returns the number of its call, once `gate` is open; fails while it is `away`."""

    def __init__(self) -> None:
        self.calls = 0
        self.away = False
        self.gate = asyncio.Event()
        self.gate.set()

    async def __call__(self) -> int:
        self.calls += 1
        value = self.calls
        await asyncio.sleep(0)
        await self.gate.wait()
        if self.away:
            raise StoreUnavailable("away")
        return value


def run(story: Story, max_size: int = 4, refresh_after_s: float | None = None) -> None:
    async def main() -> None:
        clock = Clock()
        cache = SingleFlightCache[int](30, max_size, refresh_after_s=refresh_after_s, now_s=clock)
        await story(cache, clock, Loader())

    asyncio.run(main())


async def until_idle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


def test_a_cached_answer_is_used_until_it_expires() -> None:
    async def story(cache: SingleFlightCache[int], clock: Clock, load: Loader) -> None:
        assert await cache.get("a", load) == 1
        clock.now_s = 29.9
        assert await cache.get("a", load) == 1
        clock.now_s = 30
        assert await cache.get("a", load) == 2

    run(story)


def test_the_time_of_a_value_counts_from_the_beginning_of_its_load() -> None:
    async def story(cache: SingleFlightCache[int], clock: Clock, load: Loader) -> None:
        load.gate.clear()
        slow = asyncio.create_task(cache.get("a", load))
        await until_idle()
        clock.now_s = 20
        load.gate.set()
        assert await slow == 1
        clock.now_s = 29.9
        assert await cache.get("a", load) == 1
        clock.now_s = 30
        assert await cache.get("a", load) == 2

    run(story)


def test_a_load_that_takes_longer_than_its_value_serves_reaches_its_callers() -> None:
    async def story(cache: SingleFlightCache[int], clock: Clock, load: Loader) -> None:
        load.gate.clear()
        slow = asyncio.create_task(cache.get("a", load))
        await until_idle()
        clock.now_s = 31
        load.gate.set()
        assert await slow == 1
        assert await cache.get("a", load) == 2

    run(story)


def test_each_key_has_its_own_answer() -> None:
    async def story(cache: SingleFlightCache[int], _clock: Clock, load: Loader) -> None:
        assert await cache.get((1, "a"), load) == 1
        assert await cache.get((2, "a"), load) == 2

    run(story)


def test_the_arguments_reach_the_load() -> None:
    async def story(cache: SingleFlightCache[int], _clock: Clock, _load: Loader) -> None:
        async def difference(a: int, b: int) -> int:
            return a - b

        assert await cache.get("a", difference, 5, 3) == 2

    run(story)


@pytest.mark.parametrize("nothing", [None, 0, ""])
def test_a_value_that_is_false_is_a_value(nothing: object) -> None:
    calls = 0

    async def load() -> object:
        nonlocal calls
        calls += 1
        return nothing

    async def main() -> None:
        cache = SingleFlightCache[object](30, 4)
        assert await cache.get("a", load) == nothing
        assert await cache.get("a", load) == nothing

    asyncio.run(main())
    assert calls == 1


def test_concurrent_callers_share_one_call() -> None:
    async def story(cache: SingleFlightCache[int], _clock: Clock, load: Loader) -> None:
        values = await asyncio.gather(*(cache.get("a", load) for _ in range(20)))
        assert values == [1] * 20

    run(story)


def test_a_failure_reaches_every_waiting_caller_and_is_not_cached() -> None:
    async def story(cache: SingleFlightCache[int], _clock: Clock, load: Loader) -> None:
        load.away = True
        both = await asyncio.gather(
            cache.get("a", load), cache.get("a", load), return_exceptions=True
        )
        assert [type(failure) for failure in both] == [StoreUnavailable] * 2
        load.away = False
        assert await cache.get("a", load) == 2

    run(story)


def test_a_cancelled_caller_leaves_the_answer_to_the_others() -> None:
    async def story(cache: SingleFlightCache[int], _clock: Clock, load: Loader) -> None:
        first = asyncio.create_task(cache.get("a", load))
        await asyncio.sleep(0)
        second = asyncio.create_task(cache.get("a", load))
        await asyncio.sleep(0)
        first.cancel()
        assert await second == 1
        with pytest.raises(asyncio.CancelledError):
            await first

    run(story)


def test_a_load_outlives_its_only_caller() -> None:
    async def story(cache: SingleFlightCache[int], _clock: Clock, load: Loader) -> None:
        only = asyncio.create_task(cache.get("a", load))
        await asyncio.sleep(0)
        only.cancel()
        await until_idle()
        assert await cache.get("a", load) == 1

    run(story)


def test_a_hit_of_a_certain_age_starts_one_load_and_does_not_wait_for_it() -> None:
    async def story(cache: SingleFlightCache[int], clock: Clock, load: Loader) -> None:
        assert await cache.get("a", load) == 1
        clock.now_s = 9.9
        assert await cache.get("a", load) == 1
        await until_idle()
        assert load.calls == 1
        clock.now_s = 10
        load.gate.clear()
        assert await asyncio.gather(*(cache.get("a", load) for _ in range(20))) == [1] * 20
        await until_idle()
        load.gate.set()
        await until_idle()
        assert load.calls == 2
        clock.now_s = 39.9
        assert await cache.get("a", load) == 2

    run(story, refresh_after_s=10)


def test_a_refresh_that_fails_leaves_the_value_and_is_not_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def story(cache: SingleFlightCache[int], clock: Clock, load: Loader) -> None:
        assert await cache.get("a", load) == 1
        clock.now_s, load.away = 10, True
        assert await cache.get("a", load) == 1
        await until_idle()
        assert load.calls == 2
        clock.now_s = 29.9
        assert await cache.get("a", load) == 1

    with caplog.at_level(logging.WARNING):
        run(story, refresh_after_s=10)
    assert caplog.records == []


def test_the_oldest_answer_is_evicted_at_the_limit() -> None:
    async def story(cache: SingleFlightCache[int], clock: Clock, load: Loader) -> None:
        for i in range(5):
            clock.now_s = i
            await cache.get(i, load)
        assert await cache.get(4, load) == 5
        assert await cache.get(0, load) == 6

    run(story)
