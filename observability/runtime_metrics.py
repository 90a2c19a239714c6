"""Metrics that are read when they are asked for: the pools, the versions in use, the process.

What BentoML's metrics client counts goes through files shared by all workers of a service, where a
series that was written once is never taken out again and the process's own figures are missing.
Here a model that has left is gone from the next scrape. The figures are those of the worker that
answers, which is the only one: one worker a pod.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from prometheus_client import CollectorRegistry, Metric, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy import Engine

from persistence.pool import CountingPool


class LiveMetrics:
    """What a process says of itself at each scrape.

    Args:
        pools: the database pools by name.
        versions: tells the version in production by registered model.
        others: more of the kind.
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

    def exposition(self) -> str:
        """Return them in Prometheus's text format."""
        return generate_latest(self._registry).decode()


class _Pools(Collector):
    def __init__(self, pools: Mapping[str, Engine]) -> None:
        self._pools = pools

    def collect(self) -> Iterable[Metric]:
        """Read every pool; takes no connection."""
        size = GaugeMetricFamily(
            "sentinel_db_pool_size", "Connections that the pool may have", labels=["pool"]
        )
        in_use = GaugeMetricFamily(
            "sentinel_db_pool_in_use", "Connections that are handed out now", labels=["pool"]
        )
        checkouts = CounterMetricFamily(
            "sentinel_db_pool_checkouts", "Connections handed out", labels=["pool"]
        )
        waited = CounterMetricFamily(
            "sentinel_db_pool_wait_seconds",
            "Time that callers waited for a connection, connecting included",
            labels=["pool"],
        )
        timeouts = CounterMetricFamily(
            "sentinel_db_pool_timeouts", "Callers that got no connection in time", labels=["pool"]
        )
        for name, engine in self._pools.items():
            pool = engine.pool
            assert isinstance(pool, CountingPool)  # noqa: S101 - open_database makes no other
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
        """Tell the versions in use; a model without one has no series."""
        version = GaugeMetricFamily(
            "sentinel_model_version",
            "Version in production, by registered model",
            labels=["model"],
        )
        for name, number in self._versions().items():
            version.add_metric([name], number)
        return [version]
