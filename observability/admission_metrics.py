"""Metrics of the limits that scoring requests meet, read at each scrape."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector


class AdmissionMetrics(Collector):
    """Exports the scoring requests in flight, their limit, and the refusals by reason.

    Args:
        in_flight: function that returns the number of requests in flight.
        limit: function that returns the number from which one more is refused.
        refused: function that returns the number of refusals by reason.
    """

    def __init__(
        self,
        in_flight: Callable[[], int],
        limit: Callable[[], int],
        refused: Callable[[], Mapping[str, int]],
    ) -> None:
        self._in_flight = in_flight
        self._limit = limit
        self._refused = refused

    def collect(self) -> Iterable[Metric]:
        """Return the two gauges and the counter."""
        yield GaugeMetricFamily(
            "sentinel_requests_in_flight",
            "Scoring requests of this process that were admitted and are not answered yet",
            value=self._in_flight(),
        )
        yield GaugeMetricFamily(
            "sentinel_requests_limit",
            "Scoring requests in flight from which this process refuses one more",
            value=self._limit(),
        )
        refused = CounterMetricFamily(
            "sentinel_requests_refused",
            "Scoring requests that were refused (429), by reason",
            labels=["reason"],
        )
        for reason, count in self._refused().items():
            refused.add_metric([reason], count)
        yield refused
