"""Metrics of models: refusals, swaps, memory and shadow scores."""

from __future__ import annotations

import bentoml

REFUSALS = bentoml.metrics.Counter(
    name="sentinel_model_refusals_total",
    documentation="Model versions that failed their checks and were not served",
    labelnames=["model"],
)
SWAPS = bentoml.metrics.Counter(
    name="sentinel_model_swaps_total",
    documentation="Replacements of the version in production, by registered model",
    labelnames=["model"],
)
MODELS_IN_MEMORY = bentoml.metrics.Gauge(
    name="sentinel_models_in_memory",
    documentation="Different models in memory; versions with the same files count once",
    # One worker a pod; the value of an earlier worker must not count.
    multiprocess_mode="mostrecent",
)
EVICTIONS = bentoml.metrics.Counter(
    name="sentinel_model_evictions_total",
    documentation="Models that were evicted from memory because it was full",
)
SHADOW_SCORED = bentoml.metrics.Counter(
    name="sentinel_shadow_scored_total",
    documentation="Stored decisions that were scored in shadow by the model that did not decide",
    labelnames=["model"],
)
SHADOW_DROPPED = bentoml.metrics.Counter(
    name="sentinel_shadow_dropped_total",
    documentation="Stored decisions without a shadow score: the queue was full, or storing failed",
    labelnames=["model"],
)
