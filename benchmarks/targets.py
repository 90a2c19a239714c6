"""The goals, and whether a run met them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Goal:
    """One of them.

    Attributes:
        name: for the table.
        path: where the results hold the figure.
        limit: and whether it is the least that is asked (`at_least`) or the most.
    """

    name: str
    path: tuple[str, ...]
    limit: float
    at_least: bool

    def judge(self, results: Mapping[str, Any]) -> dict[str, Any]:
        """Return the goal, the figure and whether it was met; None where it was not measured."""
        value: Any = results
        for key in self.path:
            value = value.get(key) if isinstance(value, Mapping) else None
        met = None
        if value is not None:
            met = value >= self.limit if self.at_least else value <= self.limit
        word = "at least" if self.at_least else "at most"
        return {
            "goal": self.name,
            "figure": ".".join(self.path),
            "asked": f"{word} {self.limit:g}",
            "found": value,
            "met": met,
        }


GOALS = (
    *(
        Goal(name, ("ratios", path), limit, at_least)
        for name, path, limit, at_least in (
            ("p50 at 1 client, times faster than the reference pinned",
             "score_p50_c1_vs_reference_pinned", 8, True),
            ("p50 at 1 client over the floor's", "score_p50_c1_vs_floor", 2, False),
            ("requests a second at 64 clients over the reference pinned's",
             "score_rps_c64_vs_reference_pinned", 30, True),
            ("requests a second at 64 clients over the floor's",
             "score_rps_c64_vs_floor", 0.75, True),
            ("p99 at 64 clients over the floor's", "score_p99_c64_vs_floor", 4, False),
            ("rows a second in batches of 1000 over the reference pinned's",
             "batch1000_rows_vs_reference_pinned", 20, True),
            ("p50 at 1 client, batched over unbatched", "score_p50_c1_vs_unbatched", 1.2, False),
            ("explaining 1 row, times faster than pred_contrib",
             "shap_b1_vs_pred_contrib", 4, True),
            ("explaining 64 rows, times faster than pred_contrib",
             "shap_b64_vs_pred_contrib", 7, True),
        )
    ),
    *(
        Goal(f"explaining {rows} with the large model, times faster than pred_contrib",
             ("explanation", "large", "rows", key, "times_faster"), limit, True)
        for rows, key, limit in (("1 row", "1", 4), ("64 rows", "64", 7))
    ),
    *(
        Goal(f"explanation's largest difference from pred_contrib, {size}",
             ("explanation", size, "largest_difference"), 1e-9, False)
        for size in ("small", "medium", "large")
    ),
    Goal("service CPU a /score at 64 clients, ms", ("absolute", "cpu_ms_per_score"), 0.5, False),
    Goal("memory of a service worker, MB", ("absolute", "rss_mb"), 450, False),
    Goal("start to ready with a warm cache, s", ("absolute", "ready_s"), 3, False),
)  # fmt: skip
