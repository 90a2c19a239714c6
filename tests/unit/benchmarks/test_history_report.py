"""The goals of the history benchmark are judged on the loads that were measured."""

from __future__ import annotations

from benchmarks.history.report import ratios


def measured(p50_ms: float) -> dict[str, float]:
    return {"p50_ms": p50_ms, "requests_per_s": 1000 / p50_ms, "rows_per_s": 1000 / p50_ms}


def test_a_load_that_was_left_out_has_no_ratio() -> None:
    found = {
        ("score_c1", "with"): [measured(4.0), measured(6.0)],
        ("score_c1", "without"): [measured(2.0), measured(2.0)],
    }
    (ratio,) = ratios(found)
    assert ratio["name"] == "p50 at 1 client, with windows over without"
    assert (ratio["measured"], ratio["range"]) == ("2.50", "2.00 to 3.00")
