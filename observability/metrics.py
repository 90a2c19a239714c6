"""Metrics of models: refusals, swaps, memory, shadow scores."""

from __future__ import annotations

from typing import TYPE_CHECKING

import bentoml

if TYPE_CHECKING:
    pass

REFUSALS = bentoml.metrics.Counter(
    name="sentinel_model_refusals_total",
    documentation="Model versions that failed their checks and were not served",
    labelnames=["model"],
)
SWAPS = bentoml.metrics.Counter(
    name="sentinel_model_swaps_total",
    documentation="Times that another version took over production, by registered model",
    labelnames=["model"],
)
MODELS_IN_MEMORY = bentoml.metrics.Gauge(
    name="sentinel_models_in_memory",
    documentation="Different models in memory; equal versions count once",
    # One worker a pod; what a worker before it left behind must not count.
    multiprocess_mode="mostrecent",
)
EVICTIONS = bentoml.metrics.Counter(
    name="sentinel_model_evictions_total",
    documentation="Models that left memory for want of room",
)
SHADOW_SCORED = bentoml.metrics.Counter(
    name="sentinel_shadow_scored_total",
    documentation="Stored decisions that the model which did not decide scored too",
    labelnames=["model"],
)
SHADOW_DROPPED = bentoml.metrics.Counter(
    name="sentinel_shadow_dropped_total",
    documentation="Stored decisions that were not scored in shadow: no room, or no storing",
    labelnames=["model"],
)
