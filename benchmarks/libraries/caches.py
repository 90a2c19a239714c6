"""Compare caches with single flight: ours on a dict, ours on cachetools, and async-lru."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Callable, Coroutine, Hashable
from time import monotonic
from typing import Any, Protocol, TypeVarTuple, Unpack

from benchmarks.libraries.timing import in_turn, show
from persistence.api_keys import Principal
from web.auth import KEEP_S, MAX_KEYS, REFRESH_AFTER_S, Authenticator
from web.single_flight_cache import SingleFlightCache

Loading = Coroutine[Any, Any, Any]
Load = Callable[..., Loading]
Args = TypeVarTuple("Args")
_ENTRIES = 1000


class Cache(Protocol):
    """The interface of the candidates."""

    def get(self, key: Hashable, load: Load, *args: Any) -> Coroutine[Any, Any, Any]:  # noqa: ANN401
        """Return the value of a key."""


Make = Callable[[float, int, float | None, Callable[[], float]], Cache]
"""Function that makes a cache from time to live, size, age of refresh and clock; in seconds."""


def compare(calls: int, rounds: int) -> None:
    """Print the properties that each candidate lacks, and the time of a hit."""
    candidates = _candidates()
    for name, make in candidates.items():
        properties = asyncio.run(_properties(make))
        missing = [label for label, holds in properties.items() if not holds]
        print(f"{name}: lacks {', '.join(missing) or 'nothing'}")

    principal = Principal(1, "demo", "fraud-demo", "abcdefghij", "core", frozenset({"score"}), None)

    async def load(*_args: object) -> Principal:
        return principal

    async def nothing() -> None: ...

    def hit(cache: Cache) -> Load:
        async def get() -> None:
            await cache.get(b"%016d" % (_ENTRIES // 2), load)

        return get

    async def filled(cache: Cache) -> None:
        for i in range(_ENTRIES):
            await cache.get(b"%016d" % i, load)

    ways: dict[str, Load] = {"an empty coroutine": nothing}
    for name, make in candidates.items():
        cache = make(3600.0, 10_000, 1800.0, monotonic)
        if "alru" not in name:  # alru_cache is bound to the event loop that fills it
            asyncio.run(filled(cache))
        ways[name] = hit(cache)
    show("a hit", in_turn(ways, calls, rounds), "ns")

    body = "sk_abcdefghij_" + "A" * 32
    header = f"Bearer {body}{zlib.crc32(body.encode()):08x}"

    def require(make: Make) -> Load:
        authenticator = Authenticator(lambda _key: principal)
        cache: Any = make(KEEP_S, MAX_KEYS, REFRESH_AFTER_S, monotonic)
        authenticator._verified = cache

        async def called() -> None:
            await authenticator.require(header, "score")

        return called

    requires = {name: require(make) for name, make in candidates.items()}
    show("Authenticator.require, a hit", in_turn(requires, calls, rounds), "ns")


def _candidates() -> dict[str, Make]:
    from async_lru import alru_cache
    from cachetools import TLRUCache

    class OnTlruCache(SingleFlightCache[Any]):
        """Our class on a TLRUCache; a TTLCache would count from the end of the load."""

        def __init__(
            self,
            keep_s: float,
            max_size: int,
            refresh_after_s: float | None,
            now_s: Callable[[], float],
        ) -> None:
            super().__init__(keep_s, max_size, refresh_after_s=refresh_after_s, now_s=now_s)
            self._stored: TLRUCache[Hashable, tuple[Any, float]] = TLRUCache(
                max_size, lambda _key, kept, _now_s: kept[1] + keep_s, now_s
            )

        async def get(
            self, key: Hashable, load: Callable[[Unpack[Args]], Loading], *args: *Args
        ) -> Any:  # noqa: ANN401
            try:
                value, began_s = self._stored[key]
            except KeyError:
                return await asyncio.shield(self._start(key, load, *args))
            if self._now_s() - began_s >= self._refresh_after_s:
                self._start(key, load, *args)
            return value

        async def _load(
            self, key: Hashable, load: Callable[[Unpack[Args]], Loading], *args: *Args
        ) -> Any:  # noqa: ANN401
            began_s = self._now_s()
            value = await load(*args)
            self._stored[key] = (value, began_s)
            return value

    class Alru:
        def __init__(self, keep_s: float, max_size: int) -> None:
            @alru_cache(maxsize=max_size, ttl=keep_s, key=lambda key, _load, *_args: key)
            async def get(_key: Hashable, load: Load, *args: Any) -> Any:  # noqa: ANN401
                return await load(*args)

            self.get: Any = get

    return {
        "ours, on a dict": lambda keep_s, max_size, refresh_s, now_s: SingleFlightCache[Any](
            keep_s, max_size, refresh_after_s=refresh_s, now_s=now_s
        ),
        "ours, on cachetools' TLRUCache": OnTlruCache,
        "async-lru's alru_cache": lambda keep_s, max_size, _refresh_s, _now_s: Alru(
            keep_s, max_size
        ),
    }


class _Trial:
    """A cache of 3 s and 4 entries, its clock, and a load that returns the number of its calls."""

    def __init__(self, make: Make, refresh_s: float | None = None) -> None:
        self.now_s = 0.0
        self.calls = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self.cache = make(3.0, 4, refresh_s, lambda: self.now_s)

    async def load(self) -> int:
        self.calls += 1
        value = self.calls
        await asyncio.sleep(0)
        await self.gate.wait()
        return value

    def get(self, key: Hashable = "a", load: Load | None = None) -> Coroutine[Any, Any, Any]:
        return self.cache.get(key, load or self.load)

    async def begun(self) -> asyncio.Task[Any]:
        """Return a `get` whose load waits for the gate."""
        self.gate.clear()
        task = asyncio.create_task(self.get())
        await self.idle()
        return task

    async def idle(self) -> None:
        for _ in range(5):
            await asyncio.sleep(0)


async def _properties(make: Make) -> dict[str, bool]:
    """Return whether a candidate has each property that we need."""
    held: dict[str, bool] = {}
    trial = _Trial(make)
    await asyncio.gather(*(trial.get() for _ in range(20)))
    held["single flight"] = trial.calls == 1

    async def fail() -> int:
        raise LookupError

    trial = _Trial(make)
    await asyncio.gather(trial.get(load=fail), return_exceptions=True)
    held["errors not kept"] = await trial.get() == 1

    trial = _Trial(make)
    first, second = await trial.begun(), await trial.begun()
    first.cancel()
    trial.gate.set()
    held["others shielded from a cancellation"] = await second == 1

    trial = _Trial(make)
    only = await trial.begun()
    only.cancel()
    await asyncio.gather(only, return_exceptions=True)
    trial.gate.set()
    await trial.idle()
    await trial.get()
    held["load outlives its only caller"] = trial.calls == 1

    trial = _Trial(make)
    await trial.get()
    trial.now_s = 2.9
    kept = await trial.get() == 1
    trial.now_s = 3.0
    held["injectable clock"] = kept and await trial.get() == 2

    trial = _Trial(make)
    slow = await trial.begun()
    trial.now_s = 2.0
    trial.gate.set()
    await slow
    trial.now_s = 3.5
    held["time to live from the beginning of the load"] = await trial.get() == 2

    trial = _Trial(make, refresh_s=1.5)
    await trial.get()
    trial.now_s = 1.6
    stale = await trial.get() == 1
    await trial.idle()
    held["refresh-ahead"] = stale and trial.calls == 2 and await trial.get() == 2

    trial = _Trial(make)
    for i in range(5):
        await trial.get(i)
    held["bounded"] = await trial.get(0) == 6
    return held
