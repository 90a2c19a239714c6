"""The targets, and the check whether a run met them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Target:
    """A bound on one figure of the results.

    Attributes:
        name: name of the figure in the table.
        path: keys under which the results hold the figure.
        limit: bound of the figure.
        at_least: whether the figure has to be at least `limit`; else at most.
    """

    name: str
    path: tuple[str, ...]
    limit: float
    at_least: bool

    def judge(self, results: Mapping[str, Any]) -> dict[str, Any]:
        """Return the target with the measured figure and whether it was met; None: not measured."""
        value: Any = results
        for key in self.path:
            value = value.get(key) if isinstance(value, Mapping) else None
        met = None
        if value is not None:
            met = value >= self.limit if self.at_least else value <= self.limit
        word = "at least" if self.at_least else "at most"
        return {
            "name": self.name,
            "figure": ".".join(self.path),
            "target": f"{word} {self.limit:g}",
            "measured": value,
            "met": met,
        }


TARGETS = (
    *(
        Target(name, ("ratios", path), limit, at_least)
        for name, path, limit, at_least in (
            ("p50 at 1 client, reference (one LightGBM thread) over Sentinel",
             "score_p50_c1_vs_reference_one_thread", 8, True),
            ("p50 at 1 client, Sentinel over the INSERT-only baseline",
             "score_p50_c1_vs_insert_only", 2, False),
            ("requests a second at 64 clients, Sentinel over the reference (one LightGBM thread)",
             "score_rps_c64_vs_reference_one_thread", 30, True),
            ("requests a second at 64 clients, Sentinel over the INSERT-only baseline",
             "score_rps_c64_vs_insert_only", 0.75, True),
            ("p99 at 64 clients, Sentinel over the INSERT-only baseline",
             "score_p99_c64_vs_insert_only", 4, False),
            ("rows a second in batches of 1000, Sentinel over the reference (one LightGBM thread)",
             "batch1000_rows_vs_reference_one_thread", 20, True),
            ("p50 at 1 client, batched over unbatched", "score_p50_c1_vs_unbatched", 1.2, False),
            ("explaining 1 row, times faster than pred_contrib",
             "shap_b1_vs_pred_contrib", 4, True),
            ("explaining 64 rows, times faster than pred_contrib",
             "shap_b64_vs_pred_contrib", 7, True),
        )
    ),
    *(
        Target(f"explaining {rows} with the large model, times faster than pred_contrib",
             ("explanation", "large", "rows", key, "times_faster"), limit, True)
        for rows, key, limit in (("1 row", "1", 4), ("64 rows", "64", 7))
    ),
    *(
        Target(f"explanation's largest difference from pred_contrib, {size}",
             ("explanation", size, "largest_difference"), 1e-9, False)
        for size in ("small", "medium", "large")
    ),
    Target("service CPU a /score at 64 clients, ms", ("absolute", "cpu_ms_per_score"), 0.5, False),
    Target("memory of a service worker, MB", ("absolute", "rss_mb"), 450, False),
    Target("start to ready with a warm cache, s", ("absolute", "ready_s"), 3, False),
)  # fmt: skip
