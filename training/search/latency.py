"""How long a model takes to score and explain a payment."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from scoring.features import FloatArray
from scoring.model.fraud_model import FraudModel

BATCH = 64
REPEATS = 25


@dataclass(frozen=True, slots=True)
class Latency:
    """CPU time of a served model's `explain_matrix`, microseconds a row.

    Attributes:
        batch_us: in batches of BATCH rows, as under load.
        single_us: of a row that comes alone.
    """

    batch_us: float
    single_us: float


def measure(models: Sequence[FraudModel], matrix: FloatArray) -> list[Latency]:
    """Time models against each other on the same rows; the median of REPEATS, after a warm-up.

    They take turns, so that what else the machine does meets all of them alike, and it is the
    thread's CPU time that counts: waiting for a busy neighbour's core says nothing of a model. One
    thread, as in serving.

    Args:
        models: at least one.
        matrix: plausible payments, float64 (n, len(FEATURES)), n >= BATCH.
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
