"""Time the stages of a batch.

Stages, each observed once a batch, in seconds:

    batch_wait      the longest wait of an item in the queue
    features        transactions to feature matrix
    score_explain   margin and contributions, which the compiled trees return in one pass, and the
                    calibrated probability
    decide          bands, decisions and identifiers
    store           write to Postgres, until the commit is confirmed
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from time import perf_counter
from typing import Any, Literal

import bentoml

Stage = Literal["batch_wait", "features", "score_explain", "decide", "store"]
Api = Literal["score", "bulk", "explain", "upload"]

DURATION = bentoml.metrics.Histogram(
    name="sentinel_stage_duration_seconds",
    documentation="Time that a batch spent in a stage; batch_wait: its longest wait in the queue",
    labelnames=["stage"],
    buckets=(0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0),
)
ROWS = bentoml.metrics.Histogram(
    name="sentinel_batch_rows",
    documentation="Transactions in a batch",
    labelnames=["api"],
    buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1000, 2000),
)


@dataclass(frozen=True, slots=True)
class BatchTimes:
    """The measured stages of a batch.

    Attributes:
        api: API whose requests the batch holds.
        rows: number of transactions in the batch.
        laps: stages with `perf_counter()` at their begin and at their end, in order of their ends;
            a batch for several models has a stage several times.
    """

    api: Api
    rows: int
    laps: tuple[tuple[Stage, float, float], ...]


class Stopwatch:
    """Times the stages of one batch as they end.

    Args:
        queued_s: `perf_counter()` at the start of each item's wait; at least one.
    """

    def __init__(self, queued_s: Iterable[float]) -> None:
        self._at = perf_counter()
        self._laps: list[tuple[Stage, float, float]] = [("batch_wait", min(queued_s), self._at)]

    def lap(self, stage: Stage) -> None:
        """End a stage, which began when the one before it ended."""
        now = perf_counter()
        self._laps.append((stage, self._at, now))
        self._at = now

    def times(self, api: Api, rows: int) -> BatchTimes:
        """Return the stages timed so far.

        Args:
            api: API whose requests the batch holds.
            rows: number of transactions in the batch.
        """
        return BatchTimes(api, rows, tuple(self._laps))


def spent_s(times: BatchTimes) -> dict[Stage, float]:
    """Return the seconds that a batch spent in each of its stages."""
    spent: dict[Stage, float] = {}
    for stage, began_s, ended_s in times.laps:
        spent[stage] = spent.get(stage, 0.0) + ended_s - began_s
    return spent


def observe(times: BatchTimes) -> None:
    """Observe the stages and the size of a batch in the histograms."""
    for stage, seconds in spent_s(times).items():
        _duration(stage).observe(seconds)
    _rows(times.api).observe(times.rows)


@cache
def _duration(stage: Stage) -> Any:  # noqa: ANN401 - prometheus_client's, through BentoML
    return DURATION.labels(stage=stage)


@cache
def _rows(api: Api) -> Any:  # noqa: ANN401 - prometheus_client's, through BentoML
    return ROWS.labels(api=api)
