"""The stages of a batch follow each other without a gap, and each is observed once a batch."""

from __future__ import annotations

from itertools import pairwise
from time import perf_counter

from prometheus_client import REGISTRY

from observability import batch_stages
from observability.batch_stages import BatchTimes, Stopwatch


def seconds(stage: str) -> float:
    return REGISTRY.get_sample_value("sentinel_stage_duration_seconds_sum", {"stage": stage}) or 0.0


def test_the_wait_is_that_of_the_item_that_waited_longest() -> None:
    now = perf_counter()
    ((stage, began_s, ended_s),) = Stopwatch([now - 1, now - 3, now - 2]).times("score", 3).laps
    assert stage == "batch_wait"
    assert began_s == now - 3
    assert ended_s >= now


def test_each_stage_begins_where_the_one_before_ended() -> None:
    watch = Stopwatch([perf_counter()])
    watch.lap("features")
    watch.lap("score_explain")
    watch.lap("store")
    laps = watch.times("bulk", 1000).laps
    assert [stage for stage, _, _ in laps] == ["batch_wait", "features", "score_explain", "store"]
    assert all(one[2] == following[1] for one, following in pairwise(laps))
    assert all(began_s <= ended_s for _, began_s, ended_s in laps)


def test_a_stage_that_a_batch_has_several_times_is_observed_once_with_its_sum() -> None:
    before = seconds("features"), _count("features"), _rows("explain")
    laps = (("features", 1.0, 1.25), ("decide", 1.25, 1.5), ("features", 1.5, 2.0))
    batch_stages.observe(BatchTimes("explain", 7, laps))
    assert seconds("features") - before[0] == 0.75
    assert _count("features") - before[1] == 1
    assert _rows("explain") - before[2] == 7


def _count(stage: str) -> float:
    return (
        REGISTRY.get_sample_value("sentinel_stage_duration_seconds_count", {"stage": stage}) or 0.0
    )


def _rows(api: str) -> float:
    return REGISTRY.get_sample_value("sentinel_batch_rows_sum", {"api": api}) or 0.0
