"""Metrics of the past events that this process keeps prepared, read at each scrape."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector


class PreparedMetrics(Collector):
    """Exports how many entities have their past prepared, and its memory.

    Args:
        usage: function that returns the number of entities and the bytes.
    """

    def __init__(self, usage: Callable[[], tuple[int, int]]) -> None:
        self._usage = usage

    def collect(self) -> Iterable[Metric]:
        """Return the two gauges."""
        entities, size = self._usage()
        yield GaugeMetricFamily(
            "sentinel_prepared_entities",
            "Entities whose past events are prepared in this process, for each model's windows",
            value=entities,
        )
        yield GaugeMetricFamily(
            "sentinel_prepared_bytes",
            "Memory of the past events that are prepared in this process",
            value=size,
        )
