"""Metrics of what keeps promotions from being served, read at each scrape."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector


class FollowingMetrics(Collector):
    """The faults of registered models, and the time of the latest poll of the aliases.

    Args:
        faults: function that returns the registered models that cannot be followed.
        followed_at_s: function that returns the Unix time of the latest complete poll.
    """

    def __init__(
        self, faults: Callable[[], Iterable[str]], followed_at_s: Callable[[], float]
    ) -> None:
        self._faults = faults
        self._followed_at_s = followed_at_s

    def collect(self) -> Iterable[Metric]:
        """Return the metrics; a model without a fault has no series."""
        fault = GaugeMetricFamily(
            "sentinel_model_fault",
            "1 while the registered model cannot be followed; /readyz and the log have the reason",
            labels=["model"],
        )
        for name in self._faults():
            fault.add_metric([name], 1)
        followed = GaugeMetricFamily(
            "sentinel_aliases_followed_timestamp_seconds",
            "Unix time at which the aliases of all registered models were last followed",
            value=self._followed_at_s(),
        )
        return [fault, followed]
