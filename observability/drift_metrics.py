"""Drift as metrics: the results that `sentinel monitor` stored, read once a minute.

A model may serve any number of tenants, so a series has no label for the tenant: its value is that
of the tenant that drifts most. GET /drift returns the drift of each tenant.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from sqlalchemy import Engine

from observability.polled_metrics import PolledMetrics
from persistence.drift.checks import ModelDrift, drift_in_production
from scoring.evaluation.drift import SCORE

logger = logging.getLogger("sentinel.drift")

MAX_FEATURES = 30
"""Features of a model with a series, those that drift most: a version may have 500."""


class DriftMetrics(PolledMetrics[dict[str, ModelDrift]]):
    """Exports the latest drift of the versions in production.

    Args:
        engine: connection pool that scoring does not use.
    """

    def __init__(self, engine: Engine) -> None:
        super().__init__(
            lambda: drift_in_production(engine),
            name="drift-metrics",
            task="reading drift",
            logger=logger,
        )

    def collect(self) -> Iterable[Metric]:
        """Return the metrics that were read last; a feature that was not measured has no series."""
        psi = GaugeMetricFamily(
            "sentinel_drift_psi",
            "Population stability index of the version in production against its training, nats,"
            " by feature and for the score; of several tenants the largest",
            labels=["model", "feature"],
        )
        rows = GaugeMetricFamily(
            "sentinel_drift_window_rows",
            "Predictions of the version in production that drift was last computed over",
            labels=["model"],
        )
        computed = GaugeMetricFamily(
            "sentinel_drift_computed_timestamp_seconds",
            "When drift was last computed, Unix seconds; of several tenants the earliest",
            labels=["model"],
        )
        for model, drift in (self._latest or {}).items():
            rows.add_metric([model], drift.predictions)
            computed.add_metric([model], drift.computed_at.timestamp())
            features = [pair for pair in drift.psi.items() if pair[0] != SCORE]
            features.sort(key=lambda pair: -pair[1])
            score = [(SCORE, drift.psi[SCORE])] if SCORE in drift.psi else []
            for name, value in [*score, *features[:MAX_FEATURES]]:
                psi.add_metric([model, name], value)
        return [psi, rows, computed]
