"""Metrics of the deployments in this process's memory, read at each scrape."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector


class DeploymentMetrics(Collector):
    """Exports who has a model, challengers, faults, and when the aliases were last followed.

    Args:
        has_model: function that returns whether a version decides, by slug of each live tenant.
        challengers: function that returns the challenger's version by registered model.
        faults: function that returns the registered models that cannot be followed.
        followed_at_s: function that returns the Unix time of the last complete read of the
            aliases; None before it.
    """

    def __init__(
        self,
        has_model: Callable[[], Mapping[str, bool]],
        challengers: Callable[[], Mapping[str, int]],
        faults: Callable[[], Iterable[str]],
        followed_at_s: Callable[[], float | None],
    ) -> None:
        self._has_model = has_model
        self._challengers = challengers
        self._faults = faults
        self._followed_at_s = followed_at_s

    def collect(self) -> Iterable[Metric]:
        """Return the metrics; a tenant in test mode and a model without challenger have none."""
        served = GaugeMetricFamily(
            "sentinel_tenant_has_model",
            "Whether this process has a version in production for the tenant: 1 or 0",
            labels=["tenant"],
        )
        for slug, has_model in self._has_model().items():
            served.add_metric([slug], float(has_model))
        challenger = GaugeMetricFamily(
            "sentinel_challenger_version",
            "Version of the challenger, by registered model",
            labels=["model"],
        )
        for name, version in self._challengers().items():
            challenger.add_metric([name], version)
        followed = GaugeMetricFamily(
            "sentinel_aliases_followed_timestamp_seconds",
            "When this process last read every tenant, policy and alias, Unix seconds",
        )
        if (at_s := self._followed_at_s()) is not None:
            followed.add_metric([], at_s)
        fault = GaugeMetricFamily(
            "sentinel_model_fault",
            "1 while the registered model cannot be followed; /readyz and the log have the reason",
            labels=["model"],
        )
        for name in self._faults():
            fault.add_metric([name], 1)
        return [served, challenger, fault, followed]
