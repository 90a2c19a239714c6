"""Compute the ratios of the targets from a run's figures, with their range over the rounds."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.load.server_under_test import Figures
from benchmarks.runner import Measured

SERVICE = ("sentinel", "sentinel_2_workers")
"""Configurations of the service; at 64 clients the one with most requests a second is compared."""
DIRECTIONS = {
    "*_vs_reference_one_thread": "how many times faster Sentinel is; larger is better",
    "shap_*_vs_pred_contrib": "how many times less CPU the compiled explanation takes; larger is"
    " better",
    "score_p50_c1_vs_insert_only": "Sentinel's latency over the INSERT-only baseline's; smaller is"
    " better",
    "score_p99_c64_vs_insert_only": "Sentinel's latency over the INSERT-only baseline's; smaller"
    " is better",
    "score_rps_c64_vs_insert_only": "Sentinel's requests a second over the INSERT-only baseline's;"
    " larger is better",
    "score_p50_c1_vs_unbatched": "latency with adaptive batching over that without; smaller is"
    " better",
}


@dataclass(frozen=True, slots=True)
class Ratio:
    """A ratio of medians, and the lowest and highest ratio of one round."""

    value: float
    lowest: float
    highest: float


def best_service(measured: Measured, size: str) -> str:
    """Return the configuration with most requests a second at 64 clients."""
    rates = {
        name: statistics.median(r["requests_per_s"] for r in rounds)
        for name in SERVICE
        if (rounds := measured.cells.get((name, size, "score_c64")))
    }
    return max(rates, key=lambda name: rates[name], default=SERVICE[0])


def ratios(
    measured: Measured, size: str, explained: Mapping[str, Any] | None
) -> dict[str, Ratio | None]:
    """Return every ratio by name; None where one of its figures was not measured.

    Args:
        measured: figures of every round.
        size: size of the model that the ratios are computed for.
        explained: result of `benchmarks.explain.compare` for that model, or None.
    """
    best = best_service(measured, size)

    def over(figure: str, cell: str, numerator: str, denominator: str) -> Ratio | None:
        above = measured.cells.get((numerator, size, cell))
        below = measured.cells.get((denominator, size, cell))
        return _ratio(above, below, figure) if above and below else None

    def explaining(rows: str) -> Ratio | None:
        if explained is None:
            return None
        timings = explained["rows"][rows]
        return Ratio(timings["times_faster"], *timings["times_faster_range"])

    return {
        "score_p50_c1_vs_reference_one_thread": over(
            "p50_ms", "score_c1", "reference_one_thread", "sentinel"
        ),
        "score_rps_c64_vs_reference_one_thread": over(
            "requests_per_s", "score_c64", best, "reference_one_thread"
        ),
        "batch1000_rows_vs_reference_one_thread": over(
            "rows_per_s", "batch_1000", "sentinel", "reference_one_thread"
        ),
        "score_p50_c1_vs_insert_only": over("p50_ms", "score_c1", "sentinel", "insert_only"),
        "score_rps_c64_vs_insert_only": over("requests_per_s", "score_c64", best, "insert_only"),
        "score_p99_c64_vs_insert_only": over("p99_ms", "score_c64", best, "insert_only"),
        "shap_b1_vs_pred_contrib": explaining("1"),
        "shap_b64_vs_pred_contrib": explaining("64"),
        "score_p50_c1_vs_unbatched": over("p50_ms", "score_c1", "sentinel", "sentinel_unbatched"),
    }


def absolutes(measured: Measured, size: str) -> dict[str, float | None]:
    """Return the service's absolute figures with the model of a size; None: not measured."""
    at_64 = measured.cells.get((best_service(measured, size), size, "score_c64"))
    facts = measured.facts.get(("sentinel", size), {})
    return {
        "cpu_ms_per_score": round(statistics.median(r["service_cpu_ms"] for r in at_64), 3)
        if at_64
        else None,
        "rss_mb": facts.get("rss_mb"),
        "ready_s": facts.get("ready_s"),
    }


def _ratio(above: Sequence[Figures], below: Sequence[Figures], figure: str) -> Ratio:
    rounds = [a[figure] / b[figure] for a, b in zip(above, below, strict=False)]
    medians = [statistics.median(r[figure] for r in of_system) for of_system in (above, below)]
    return Ratio(medians[0] / medians[1], min(rounds), max(rounds))
