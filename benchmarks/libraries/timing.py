"""Measure several ways to do one thing in turn."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Mapping
from statistics import median
from time import perf_counter
from typing import Any

Samples = dict[str, list[float]]
"""Measurements by way, one a round."""


def in_turn(ways: Mapping[str, Callable[[], Any]], calls: int, rounds: int) -> Samples:
    """Return the nanoseconds of a call, by way and round.

    Args:
        ways: functions or coroutine functions by name; the latter are awaited in one task.
        calls: number of calls of each way in a round.
        rounds: number of measured rounds, after one round of warm-up.
    """

    async def took_s(way: Callable[[], Any]) -> float:
        begun = perf_counter()
        if inspect.iscoroutinefunction(way):
            for _ in range(calls):
                await way()
        else:
            for _ in range(calls):
                way()
        return perf_counter() - begun

    async def measure() -> Samples:
        samples: Samples = {name: [] for name in ways}
        for round_ in range(-1, rounds):
            for name, way in ways.items():
                seconds = await took_s(way)
                if round_ >= 0:
                    samples[name].append(seconds / calls * 1e9)
        return samples

    return asyncio.run(measure())


def show(title: str, samples: Samples, unit: str) -> None:
    """Print each way's median, its range, and the median of its ratios to the first way."""
    print(f"\n{title} [{unit}]")
    first = next(iter(samples.values()))
    for name, values in samples.items():
        ratio = median(value / base for value, base in zip(values, first, strict=True))
        span = f"{min(values):.3f} to {max(values):.3f}"
        print(f"  {name:36} {median(values):10.3f}   ({span})   x{ratio:.2f}")
