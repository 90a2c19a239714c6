"""Metrics of what Postgres holds: tenants' activity, job runs, the server; read once a minute.

A counter stops with the traffic that it counts, and starts at 0 with each process; the time of the
last decision goes on to age. Every process reports the same values, so a query takes the maximum.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from sqlalchemy import Engine

from observability.polled_metrics import PolledMetrics
from persistence.monitoring.database_state import MOST_ROWS, DatabaseState, read_state
from persistence.monitoring.tenant_activity import TenantActivity

logger = logging.getLogger("sentinel.database")


class DatabaseMetrics(PolledMetrics[tuple[DatabaseState, float]]):
    """Exports the state of the database, and the Unix time at which it was read.

    Args:
        engine: connection pool that scoring does not use.
    """

    def __init__(self, engine: Engine) -> None:
        super().__init__(
            lambda: (read_state(engine), time.time()),
            name="database-metrics",
            task="reading the state of the database",
            logger=logger,
        )

    def collect(self) -> Iterable[Metric]:
        """Return the metrics that were read last; none before the first read."""
        if self._latest is None:
            return
        state, read_at_s = self._latest
        yield from _of_tenants(state.tenants)
        yield _gauge(
            "sentinel_job_last_success_timestamp_seconds",
            "When a scheduled job or a backup last ended without an error, Unix seconds",
            _seconds(state.job_runs),
            "task",
        )
        yield _gauge(
            "sentinel_default_partition_rows",
            f"Rows in the default partition, at most {MOST_ROWS}; 0 where maintenance runs",
            state.default_rows,
            "table",
        )
        yield from _of_server(state)
        yield _single(
            "sentinel_database_read_timestamp_seconds",
            "When this process last read the state of the database, Unix seconds",
            read_at_s,
        )


def _of_tenants(tenants: Iterable[TenantActivity]) -> Iterator[Metric]:
    by_slug = {tenant.slug: tenant for tenant in tenants}
    yield _gauge(
        "sentinel_tenant_last_decision_timestamp_seconds",
        "When the tenant's newest decision was made, Unix seconds; none in 35 days: no series",
        _seconds({slug: tenant.decided_at for slug, tenant in by_slug.items()}),
        "tenant",
    )
    yield _gauge(
        "sentinel_tenant_last_call_timestamp_seconds",
        "When a key of the tenant that may score was last used, to the minute, Unix seconds",
        _seconds({slug: tenant.called_at for slug, tenant in by_slug.items()}),
        "tenant",
    )
    yield _gauge(
        "sentinel_tenant_last_review_timestamp_seconds",
        "When the tenant's newest feedback was given, Unix seconds",
        _seconds({slug: tenant.reviewed_at for slug, tenant in by_slug.items()}),
        "tenant",
    )
    yield _gauge(
        "sentinel_tenant_reviews_waiting",
        "Whether a decision of the last 35 days waits for an analyst: 1 or 0",
        {slug: tenant.is_waiting for slug, tenant in by_slug.items()},
        "tenant",
    )
    yield _gauge(
        "sentinel_tenant_key_expiry_timestamp_seconds",
        "When the first key that is in use expires, or has expired unreplaced, Unix seconds",
        _seconds({slug: tenant.key_expires_at for slug, tenant in by_slug.items()}),
        "tenant",
    )


def _of_server(state: DatabaseState) -> Iterator[Metric]:
    yield _single("sentinel_database_size_bytes", "Size of the database on disk", state.size_bytes)
    yield _single(
        "sentinel_database_connections",
        "Connections to the Postgres server, of all its databases",
        state.connections,
    )
    yield _single(
        "sentinel_database_max_connections",
        "Largest number of connections that the Postgres server accepts",
        state.max_connections,
    )
    yield _single(
        "sentinel_clock_offset_seconds",
        "Clock of this process minus that of the database",
        state.clock_offset_s,
    )
    archiver = state.archiver
    yield _single(
        "sentinel_wal_last_archived_timestamp_seconds",
        "When Postgres last archived a part of its write-ahead log, Unix seconds",
        _unix(archiver.archived_at) if archiver else None,
    )
    yield _single(
        "sentinel_wal_last_failed_timestamp_seconds",
        "When archiving last failed, Unix seconds",
        _unix(archiver.failed_at) if archiver else None,
    )
    yield _single(
        "sentinel_wal_segments_waiting",
        "Complete segments of the write-ahead log that are not archived yet",
        archiver.segments_waiting if archiver else None,
    )
    yield _gauge(
        "sentinel_replication_slot_retained_bytes",
        "Size of the write-ahead log that Postgres keeps for a replication slot",
        state.retained_bytes,
        "slot",
    )


def _gauge(name: str, documentation: str, values: Mapping[str, float], label: str) -> Metric:
    """Return a gauge with a series for each value, by the value of its label."""
    gauge = GaugeMetricFamily(name, documentation, labels=[label])
    for of, value in values.items():
        gauge.add_metric([of], float(value))
    return gauge


def _single(name: str, documentation: str, value: float | None) -> Metric:
    """Return a gauge with one series; with none where there is no value."""
    gauge = GaugeMetricFamily(name, documentation)
    if value is not None:
        gauge.add_metric([], float(value))
    return gauge


def _seconds(moments: Mapping[str, datetime | None]) -> dict[str, float]:
    """Return Unix seconds by key, without the keys that have no moment."""
    return {key: moment.timestamp() for key, moment in moments.items() if moment is not None}


def _unix(moment: datetime | None) -> float | None:
    return None if moment is None else moment.timestamp()
