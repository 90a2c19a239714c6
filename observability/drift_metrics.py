"""Drift as metrics: what `sentinel monitor` stored, read once a minute and told at each scrape.

A model may serve many tenants, and how many is not bounded; a series tells the tenant that drifts
most. Which one it is, GET /drift tells each of them.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy import Engine

from persistence.drift.checks import ModelDrift, drift_in_production
from scoring.errors import SentinelError
from scoring.evaluation.drift import SCORE
from scoring.features import FEATURE_NAMES

logger = logging.getLogger("sentinel.drift")

LOOK_SECONDS = 60.0

_NAMES = frozenset({*FEATURE_NAMES, SCORE})
"""Labels are these: a version of an earlier release may have had features of other names."""


class DriftMetrics(Collector):
    """Keeps the latest drift of what is in production, read by a thread of its own.

    Args:
        engine: a pool that keeps no payment waiting.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._latest: dict[str, ModelDrift] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="drift-metrics", daemon=True)

    def start(self) -> None:
        """Look now and every LOOK_SECONDS, in the background."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread; waits for a look that has begun."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def refresh(self) -> None:
        """Read what is stored.

        Raises:
            StoreUnavailable: Postgres cannot be asked; what was known stays.
        """
        self._latest = drift_in_production(self._engine)

    def collect(self) -> Iterable[Metric]:
        """Tell what was read last; what could not be measured has no series."""
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

    def _follow(self) -> None:
        while True:
            try:
                self.refresh()
            except SentinelError as error:
                logger.warning("drift cannot be read: %s", error.detail)
            except Exception:
                # The thread outlives what it did not foresee.
                logger.exception("reading drift failed; trying again")
            if self._stopping.wait(LOOK_SECONDS):
                return
