"""Cache results of slow calls; concurrent callers of one key share a single load.

Why neither cachetools nor async-lru: docs/decisions/0011-libraries.md.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Coroutine, Hashable
from time import monotonic
from typing import Any, Generic, TypeVar, TypeVarTuple, Unpack

Value = TypeVar("Value")
Args = TypeVarTuple("Args")


class SingleFlightCache(Generic[Value]):
    """A cache of the latest value of each key, for one event loop and its thread only.

    Args:
        keep_s: seconds that a value is valid, counted from the beginning of its load.
        max_size: number of values that are kept; the one loaded longest ago is evicted first.
        refresh_after_s: age in seconds from which a hit also starts a new load, for which the
            caller does not wait; None: never.
        now_s: monotonic clock, in seconds.
    """

    def __init__(
        self,
        keep_s: float,
        max_size: int,
        *,
        refresh_after_s: float | None = None,
        now_s: Callable[[], float] = monotonic,
    ) -> None:
        self._keep_s = keep_s
        self._max_size = max_size
        self._refresh_after_s = math.inf if refresh_after_s is None else refresh_after_s
        self._now_s = now_s
        # Each with the time at which its load began, in the order in which the loads ended.
        self._values: dict[Hashable, tuple[Value, float]] = {}
        self._loads: dict[Hashable, asyncio.Task[Value]] = {}

    async def get(
        self,
        key: Hashable,
        load: Callable[[Unpack[Args]], Coroutine[Any, Any, Value]],
        *args: *Args,
    ) -> Value:
        """Return the value of a key.

        Args:
            key: key of the value.
            load: coroutine function that returns the value. An exception from it is raised to every
                caller that waits, and not kept.
            args: arguments of `load`.
        """
        kept = self._values.get(key)
        age_s = self._now_s() - kept[1] if kept else math.inf
        if kept is None or age_s >= self._keep_s:
            # Shielded, because other callers may wait for the load when this one is cancelled.
            return await asyncio.shield(self._start(key, load, *args))
        if age_s >= self._refresh_after_s:
            self._start(key, load, *args)
        return kept[0]

    def _start(
        self,
        key: Hashable,
        load: Callable[[Unpack[Args]], Coroutine[Any, Any, Value]],
        *args: *Args,
    ) -> asyncio.Task[Value]:
        """Return the load of a key that is in flight; start it if there is none."""
        task = self._loads.get(key)
        if task is None:
            task = asyncio.create_task(self._load(key, load, *args))
            self._loads[key] = task
            task.add_done_callback(lambda done: self._end(key, done))
        return task

    def _end(self, key: Hashable, task: asyncio.Task[Value]) -> None:
        del self._loads[key]
        if not task.cancelled():
            # Retrieved, so that asyncio does not log a failed refresh, for which no caller waits.
            task.exception()

    async def _load(
        self,
        key: Hashable,
        load: Callable[[Unpack[Args]], Coroutine[Any, Any, Value]],
        *args: *Args,
    ) -> Value:
        began_s = self._now_s()
        value = await load(*args)
        # Removed first, so that the new value is last in the order of eviction.
        self._values.pop(key, None)
        self._values[key] = (value, began_s)
        if len(self._values) > self._max_size:
            del self._values[next(iter(self._values))]
        return value
