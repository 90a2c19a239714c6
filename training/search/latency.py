"""Measure the time that a model takes to score and explain a payment."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from scoring.columns import FloatArray
from scoring.model.fraud_model import FraudModel

BATCH = 64
REPEATS = 25


@dataclass(frozen=True, slots=True)
class Latency:
    """CPU time of a served model's `explain_matrix`.

    Attributes:
        batch_us: microseconds a row in batches of BATCH rows, as under load.
        single_us: microseconds for one row.
    """

    batch_us: float
    single_us: float


def measure(models: Sequence[FraudModel], matrix: FloatArray) -> list[Latency]:
    """Return the median CPU time of each model over REPEATS batches of the same rows.

    Every batch goes to all models before the next one, so that other load on the machine affects
    them equally. The time is the thread's CPU time, which excludes waiting for a core. Models run
    in one thread, as in serving; a warm-up of two batches does not count.

    Args:
        models: models to time, at least one.
        matrix: features of plausible payments, float64 (n, len(FEATURES)), n >= BATCH.
    """
    served = [model.as_served() for model in models]
    rows = np.random.default_rng(0).integers(0, matrix.shape[0], (REPEATS + 2, BATCH))
    batch_ns = np.empty((len(models), rows.shape[0]))
    single_ns = np.empty_like(batch_ns)
    for turn, chosen in enumerate(rows):
        batch = np.ascontiguousarray(matrix[chosen])
        for index, model in enumerate(served):
            batch_ns[index, turn] = _cpu_ns(model, batch) / BATCH
            single_ns[index, turn] = _cpu_ns(model, batch[:1])
    return [
        Latency(float(batch) / 1e3, float(single) / 1e3)
        for batch, single in zip(
            np.median(batch_ns[:, 2:], axis=1), np.median(single_ns[:, 2:], axis=1), strict=True
        )
    ]


def _cpu_ns(model: FraudModel, matrix: FloatArray) -> int:
    began = time.thread_time_ns()
    model.explain_matrix(matrix)
    return time.thread_time_ns() - began
