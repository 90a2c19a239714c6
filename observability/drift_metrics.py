"""Drift as metrics: the results that `sentinel monitor` stored, read once a minute.

A model may serve any number of tenants, so a series has no label for the tenant: its value is that
of the tenant that drifts most. GET /drift returns the drift of each tenant.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy import Engine

from observability.background_loop import BackgroundLoop
from persistence.drift.checks import ModelDrift, drift_in_production
from persistence.outage import Outage
from scoring.errors import SentinelError
from scoring.evaluation.drift import SCORE
from scoring.features import FEATURE_NAMES

logger = logging.getLogger("sentinel.drift")

READ_EVERY_S = 60.0

_NAMES = frozenset({*FEATURE_NAMES, SCORE})
"""Allowed values of the label `feature`; without the bound, versions of earlier releases could add
other names."""


class DriftMetrics(Collector):
    """Exports the latest drift of the versions in production, read in the background.

    Args:
        engine: connection pool that scoring does not use.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._latest: dict[str, ModelDrift] = {}
        self._outage = Outage(logger, "reading drift")
        self._loop = BackgroundLoop(
            "drift-metrics",
            self._refresh_or_warn,
            READ_EVERY_S,
            logger=logger,
            task="reading drift",
            runs_at_start=True,
        )

    def start(self) -> None:
        """Read now and every READ_EVERY_S seconds, in the background."""
        self._loop.start()

    def stop(self) -> None:
        """Stop reading; wait for a read that has begun."""
        self._loop.stop()

    def refresh(self) -> None:
        """Read the stored drift.

        Raises:
            StoreUnavailable: Postgres cannot be reached; the previous values stay.
        """
        self._latest = drift_in_production(self._engine)

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
        for model, drift in self._latest.items():
            rows.add_metric([model], drift.predictions)
            computed.add_metric([model], drift.computed_at.timestamp())
            for name, value in drift.psi.items():
                if name in _NAMES:
                    psi.add_metric([model, name], value)
        return [psi, rows, computed]

    def _refresh_or_warn(self) -> None:
        try:
            self.refresh()
        except SentinelError as error:
            self._outage.goes_on(str(error))
        else:
            self._outage.is_over()
