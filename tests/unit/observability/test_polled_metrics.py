"""Values that are read in the background stay while they cannot be read."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Iterator

import pytest
from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily

from observability.polled_metrics import PolledMetrics
from scoring.errors import StoreUnavailable

LOGGER = logging.getLogger("sentinel.test")


class Count(PolledMetrics[float]):
    """Exports the numbers of an iterator; an error in it is raised by the reading."""

    def __init__(self, numbers: Iterator[float | StoreUnavailable]) -> None:
        super().__init__(self._next, name="count", task="reading the count", logger=LOGGER)
        self._numbers = numbers
        self.has_read = threading.Event()

    def _next(self) -> float:
        self.has_read.set()
        number = next(self._numbers)
        if isinstance(number, StoreUnavailable):
            raise number
        return number

    def collect(self) -> Iterable[Metric]:
        if self._latest is not None:
            yield GaugeMetricFamily("count", "a count", self._latest)


def values(metrics: Count) -> list[float]:
    return [sample.value for metric in metrics.collect() for sample in metric.samples]


def test_a_reading_that_fails_keeps_the_values_before() -> None:
    metrics = Count(iter([1.0, StoreUnavailable("Postgres is away"), 2.0]))
    assert values(metrics) == []
    metrics.refresh()
    with pytest.raises(StoreUnavailable):
        metrics.refresh()
    assert values(metrics) == [1.0]
    metrics.refresh()
    assert values(metrics) == [2.0]


def test_the_first_reading_is_at_the_start_and_a_failure_is_one_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    metrics = Count(iter([StoreUnavailable("Postgres is away")]))
    metrics.start()
    assert metrics.has_read.wait(10)
    metrics.stop()
    assert values(metrics) == []
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "Postgres is away" in record.getMessage()
