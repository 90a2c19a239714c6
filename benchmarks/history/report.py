"""The figures of a load, and the ratios that the goals are about."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from benchmarks.load.clients import LoadResult

Figures = dict[str, float]
Found = Mapping[tuple[str, str], Sequence[Figures]]
"""Figures of each round by load and tenant."""


def figures(load: LoadResult, rows: int) -> Figures:
    """Return the figures of a load whose requests have a number of payments each."""
    return {
        "p50_ms": load.percentile_ms(50),
        "p99_ms": load.percentile_ms(99),
        "requests_per_s": load.requests_per_second,
        "rows_per_s": load.requests_per_second * rows,
        "service_cpu_ms": load.service_cpu_ms,
        "postgres_cpu_ms": load.postgres_cpu_ms,
        "client_cpu_ms": load.client_cpu_ms,
    }


def ratios(found: Found) -> list[dict[str, Any]]:
    """Return each figure that has a goal: the median of the rounds, and their range."""

    def over(figure: str, one: tuple[str, str], other: tuple[str, str]) -> list[float]:
        if one not in found or other not in found:
            return []
        return [a[figure] / b[figure] for a, b in zip(found[one], found[other], strict=True)]

    rows = [one["rows_per_s"] for one in found.get(("batch_1000", "with"), ())]
    judged: list[tuple[str, str, list[float], Callable[[float], str]]] = [
        ("p50 at 1 client, with windows over without", "at most 2",
         over("p50_ms", ("score_c1", "with"), ("score_c1", "without")), _ratio),
        ("requests a second at 64 clients, with windows over without", "at least 0.5",
         over("requests_per_s", ("score_c64", "with"), ("score_c64", "without")), _ratio),
        ("rows a second in batches of 1000, with windows", "at least 8,000", rows, _count),
        ("p50 at 1 client, a hot customer over others", "at most 1.5",
         over("p50_ms", ("hot_c1", "with"), ("score_c1", "with")), _ratio),
    ]  # fmt: skip
    return [
        {
            "name": name,
            "goal": goal,
            "measured": written(statistics.median(values)),
            "range": f"{written(min(values))} to {written(max(values))}",
        }
        for name, goal, values, written in judged
        if values
    ]


def _ratio(value: float) -> str:
    return f"{value:.2f}"


def _count(value: float) -> str:
    return f"{value:,.0f}"
