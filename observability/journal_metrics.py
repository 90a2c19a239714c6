"""Metrics of the journal and of the circuit, read at each scrape."""

from __future__ import annotations

import time
from collections.abc import Iterable

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from persistence.circuit import Circuit
from persistence.journal.drainer import OUTCOMES, Drainer
from persistence.journal.journal import Journal


class JournalMetrics(Collector):
    """Exports whether Postgres is away, and what waits to be drained.

    Args:
        circuit: circuit of the payment path.
        journal: journal of this process; None where its folder cannot be used.
        drainer: drainer of the journal, likewise.
    """

    def __init__(self, circuit: Circuit, journal: Journal | None, drainer: Drainer | None) -> None:
        self._circuit = circuit
        self._journal = journal
        self._drainer = drainer

    def collect(self) -> Iterable[Metric]:
        """Return the metrics."""
        yield _gauge("store_circuit_open", "1 while Postgres is away", self._circuit.is_open)
        yield CounterMetricFamily(
            "sentinel_store_circuit_openings",
            "Times that Postgres was found away",
            value=self._circuit.openings,
        )
        journal, drainer = self._journal, self._drainer
        yield _gauge("journal_usable", "1 where decisions can be journalled", journal is not None)
        if journal is None or drainer is None:
            return
        oldest_at_s = journal.oldest_at_s
        age_s = 0.0 if oldest_at_s is None else max(0.0, time.time() - oldest_at_s)
        yield _gauge("journal_decisions", "Decisions that wait for Postgres", journal.waiting)
        yield _gauge("journal_bytes", "Size of the journal", journal.size)
        yield _gauge("journal_max_bytes", "Size that the journal may have", journal.max_bytes)
        yield _gauge("journal_oldest_age_seconds", "Age of the oldest decision that waits", age_s)
        yield _gauge(
            "journal_quarantined",
            "Files with records that Postgres does not have and that nobody has looked at",
            journal.quarantined,
        )
        yield _gauge(
            "journal_kept",
            "Decisions that stay, as neither Postgres nor the quarantine takes them",
            journal.kept,
        )
        drained = CounterMetricFamily(
            "sentinel_journal_drained",
            "Decisions that left the journal, by what became of them",
            labels=["outcome"],
        )
        for outcome in OUTCOMES:
            drained.add_metric([outcome], drainer.outcomes[outcome])
        yield drained


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"sentinel_{name}", text, value=float(value))
