"""What a run measures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

STACKS = (
    *("sentinel", "sentinel_2_workers"),
    *("sentinel_unbatched", "sentinel_on_threads", "sentinel_stock_wait"),
    *("reference", "reference_pinned", "mlserver", "mlflow", "floor", "floor_without_insert"),
)
SIZES = ("medium", "small", "large")
TINY = "tiny"
"""A model for the harness's own test."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is measured.

    Attributes:
        stacks, sizes: names; the first size is what the ratios are of.
        clients: of /score. batches: rows of /score/batch.
        rounds: each measures everything once. seconds: of one measurement.
    """

    stacks: Sequence[str] = STACKS
    sizes: Sequence[str] = SIZES
    clients: Sequence[int] = (1, 16, 64, 256)
    batches: Sequence[int] = (1, 100, 1000)
    rounds: int = 3
    seconds: float = 1.5


EVERYTHING = Plan()
QUICK = Plan(
    stacks=("sentinel", "sentinel_2_workers", "sentinel_unbatched", "reference_pinned", "floor"),
    sizes=("medium",),
    clients=(1, 64),
    batches=(1000,),
)
"""Only what the goals' ratios need."""
