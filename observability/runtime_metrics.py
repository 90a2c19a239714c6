"""Metrics that are read at each scrape: the pools, the versions in use and the process.

BentoML's metrics client counts in files that all workers of a service share. A series in them is
never removed, and the process's own metrics are missing. The metrics here have no series for a
model that is no longer in use. Each worker reports its own values, and a pod has one worker.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from prometheus_client import CollectorRegistry, Metric, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy import Engine

from persistence.pool import CountingPool


class LiveMetrics:
    """The metrics of a process that are read at each scrape.

    Args:
        pools: database pools by name.
        versions: function that returns the version in production by registered model.
        others: further collectors.
    """

    def __init__(
        self,
        pools: Mapping[str, Engine],
        versions: Callable[[], Mapping[str, int]],
        *others: Collector,
    ) -> None:
        self._registry = CollectorRegistry()
        for collector in (_Pools(pools), _Versions(versions), *others):
            self._registry.register(collector)
        ProcessCollector(registry=self._registry)

    def add(self, collector: Collector) -> None:
        """Export the metrics of a further collector."""
        self._registry.register(collector)

    def exposition(self) -> str:
        """Return the metrics in Prometheus's text format."""
        return generate_latest(self._registry).decode()


class _Pools(Collector):
    def __init__(self, pools: Mapping[str, Engine]) -> None:
        self._pools = pools

    def collect(self) -> Iterable[Metric]:
        """Return the metrics of every pool; takes no connection."""
        size = GaugeMetricFamily(
            "sentinel_db_pool_size", "Largest number of connections of the pool", labels=["pool"]
        )
        in_use = GaugeMetricFamily(
            "sentinel_db_pool_in_use", "Connections that are in use now", labels=["pool"]
        )
        checkouts = CounterMetricFamily(
            "sentinel_db_pool_checkouts", "Checkouts of a connection", labels=["pool"]
        )
        waited = CounterMetricFamily(
            "sentinel_db_pool_wait_seconds",
            "Time that callers waited for a connection, including the time to open it",
            labels=["pool"],
        )
        timeouts = CounterMetricFamily(
            "sentinel_db_pool_timeouts", "Callers that got no connection in time", labels=["pool"]
        )
        for name, engine in self._pools.items():
            pool = engine.pool
            assert isinstance(pool, CountingPool)  # noqa: S101 - open_database uses no other
            size.add_metric([name], pool.size())
            in_use.add_metric([name], pool.checkedout())
            checkouts.add_metric([name], pool.counts.checkouts)
            waited.add_metric([name], pool.counts.waited_s)
            timeouts.add_metric([name], pool.counts.timeouts)
        return [size, in_use, checkouts, waited, timeouts]


class _Versions(Collector):
    def __init__(self, versions: Callable[[], Mapping[str, int]]) -> None:
        self._versions = versions

    def collect(self) -> Iterable[Metric]:
        """Return the versions in use; a model without one has no series."""
        version = GaugeMetricFamily(
            "sentinel_model_version",
            "Version in production, by registered model",
            labels=["model"],
        )
        for name, number in self._versions().items():
            version.add_metric([name], number)
        return [version]
