"""Each scrape reads the connection pools, the production versions, and the process."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from observability.admission_metrics import AdmissionMetrics
from observability.prepared_metrics import PreparedMetrics
from observability.runtime_metrics import LiveMetrics
from persistence.engine import open_database


def value(live: LiveMetrics, series: str) -> float:
    (line,) = [x for x in live.exposition().splitlines() if x.startswith(f"{series} ")]
    return float(line.rpartition(" ")[2])


@pytest.fixture
def small_engine(database: str) -> Engine:
    """An engine whose pool has two connections."""
    return open_database(database, pool_size=2)


def test_a_pools_size_use_and_checkouts_are_metrics(small_engine: Engine) -> None:
    live = LiveMetrics({"score": small_engine}, dict)
    with small_engine.connect():
        assert value(live, 'sentinel_db_pool_in_use{pool="score"}') == 1
    assert value(live, 'sentinel_db_pool_in_use{pool="score"}') == 0
    assert value(live, 'sentinel_db_pool_size{pool="score"}') == 2
    assert value(live, 'sentinel_db_pool_checkouts_total{pool="score"}') == 1


def test_waits_and_timeouts_of_a_pool_are_counted(small_engine: Engine) -> None:
    live = LiveMetrics({"score": small_engine}, dict)
    with small_engine.connect(), small_engine.connect(), pytest.raises(PoolTimeoutError):
        small_engine.connect()
    assert value(live, 'sentinel_db_pool_timeouts_total{pool="score"}') == 1
    assert value(live, 'sentinel_db_pool_wait_seconds_total{pool="score"}') > 1.9
    assert value(live, 'sentinel_db_pool_checkouts_total{pool="score"}') == 2


def test_a_disposed_pool_keeps_its_counts(small_engine: Engine) -> None:
    live = LiveMetrics({"score": small_engine}, dict)
    for _ in range(3):
        with small_engine.connect() as connection:
            connection.execute(text("SELECT 1"))
        small_engine.dispose()
    assert value(live, 'sentinel_db_pool_checkouts_total{pool="score"}') == 3


def test_checkouts_of_concurrent_threads_are_counted(small_engine: Engine) -> None:
    live = LiveMetrics({"score": small_engine}, dict)

    def query(_: int) -> None:
        with small_engine.connect() as connection:
            connection.execute(text("SELECT pg_sleep(0.01)"))

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(query, range(40)))
    assert value(live, 'sentinel_db_pool_checkouts_total{pool="score"}') == 40
    assert value(live, 'sentinel_db_pool_in_use{pool="score"}') == 0


def test_a_model_without_a_version_in_production_has_no_series() -> None:
    in_use = {"fraud-a": 3, "fraud-b": 1}
    live = LiveMetrics({}, lambda: in_use)
    assert value(live, 'sentinel_model_version{model="fraud-a"}') == 3
    del in_use["fraud-a"]
    assert "fraud-a" not in live.exposition()
    assert value(live, 'sentinel_model_version{model="fraud-b"}') == 1


def test_the_past_events_that_are_prepared_are_metrics() -> None:
    usage = (0, 0)
    live = LiveMetrics({}, dict, PreparedMetrics(lambda: usage))
    assert value(live, "sentinel_prepared_entities") == 0
    usage = (3, 120_000_000)
    assert value(live, "sentinel_prepared_entities") == 3
    assert value(live, "sentinel_prepared_bytes") == 120_000_000


def test_the_requests_in_flight_their_limit_and_the_refusals_are_metrics() -> None:
    live = LiveMetrics({}, dict)
    refused = {"overload": 0, "rate": 0}
    live.add(AdmissionMetrics(lambda: 12, lambda: 64, lambda: refused))
    assert value(live, "sentinel_requests_in_flight") == 12
    assert value(live, "sentinel_requests_limit") == 64
    assert value(live, 'sentinel_requests_refused_total{reason="overload"}') == 0
    refused["rate"] += 2
    assert value(live, 'sentinel_requests_refused_total{reason="rate"}') == 2


def test_the_memory_and_cpu_of_the_process_are_metrics() -> None:
    live = LiveMetrics({}, dict)
    assert value(live, "process_resident_memory_bytes") > 1e6
    assert value(live, "process_cpu_seconds_total") > 0
