"""The systems, models and loads that a run measures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

SYSTEMS = (
    *("sentinel", "sentinel_2_workers"),
    *("sentinel_unbatched", "sentinel_on_threads", "sentinel_stock_wait"),
    *("reference", "reference_one_thread", "mlserver", "mlflow", "insert_only", "constant_reply"),
)
SIZES = ("medium", "small", "large")
OPEN_LOOP_SYSTEMS = ("sentinel", "insert_only")
TINY = "tiny"
"""A model for the test of the benchmark itself."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The systems, models and loads of a run.

    Attributes:
        systems: names of the systems.
        sizes: names of the models; the ratios are computed for the first.
        clients: numbers of concurrent clients of /score.
        open_percents: rates of the open loop, as shares of a system's own capacity, which is its
            best median in the closed loop.
        batches: numbers of rows of a request to /score/batch.
        rounds: number of rounds; each measures everything once.
        seconds: length of one measurement.
    """

    systems: Sequence[str] = SYSTEMS
    sizes: Sequence[str] = SIZES
    clients: Sequence[int] = (1, 16, 64, 256)
    open_percents: Sequence[int] = (25, 50, 75)
    batches: Sequence[int] = (1, 100, 1000)
    rounds: int = 3
    seconds: float = 1.5


EVERYTHING = Plan()
QUICK = Plan(
    systems=(
        "sentinel",
        "sentinel_2_workers",
        "sentinel_unbatched",
        "reference_one_thread",
        "insert_only",
    ),
    sizes=("medium",),
    clients=(1, 64),
    batches=(1000,),
)
"""Only what the targets' ratios need."""
