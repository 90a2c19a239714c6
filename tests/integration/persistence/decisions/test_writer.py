"""The write path: round trips per batch, and what happens when the connection fails."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import count
from time import monotonic, sleep
from typing import Any

import pytest
from sqlalchemy import Engine

from persistence.decisions.rows import Decided
from persistence.decisions.writer import DecisionLog
from persistence.engine import open_database
from persistence.tenancy import SERVICE_ROLE
from scoring.errors import InvalidRequest, StoreUnavailable
from tests.support.factories import a_decision, write_whole
from tests.support.fixture_types import MakeTenant, Rows
from tests.support.postgres.proxy import Proxy


@pytest.fixture
def open_log(proxy: Proxy) -> Iterator[Callable[..., DecisionLog]]:
    """A factory of decision logs that reach the database through the proxy."""
    engines: list[Engine] = []

    def make(**settings: Any) -> DecisionLog:
        engines.append(open_database(proxy.url, role=SERVICE_ROLE, **{"pool_size": 1} | settings))
        return DecisionLog(engines[-1])

    yield make
    for engine in engines:
        engine.dispose()


@pytest.fixture
def batch_of(make_tenant: MakeTenant) -> Callable[..., list[Decided]]:
    """A factory of batches of two tenants, with an `external_id` each if `keyed`."""
    tenants = [make_tenant("one").id, make_tenant("other").id]
    numbers = count()

    def make(size: int, *, keyed: bool = True) -> list[Decided]:
        return [
            a_decision(tenants[i % 2], external_id=f"order-{next(numbers)}" if keyed else None)
            for i in range(size)
        ]

    return make


@pytest.mark.parametrize("keyed", [True, False])
def test_a_batch_of_any_size_is_one_statement_in_one_round_trip(
    proxy: Proxy,
    open_log: Callable[..., DecisionLog],
    batch_of: Callable[..., list[Decided]],
    keyed: bool,
) -> None:
    log = open_log()
    log.write(batch_of(1, keyed=keyed))  # connects and prepares
    for size in (1, 100, 1000):
        batch = batch_of(size, keyed=keyed)
        with proxy.watch() as traffic:
            assert log.write(batch) == batch
        # The tenants and the batch; nothing is parsed again, nothing precedes or follows.
        assert (traffic.messages["E"], traffic.messages["P"], traffic.messages["Q"]) == (2, 0, 0)
        assert traffic.round_trips == 1


def test_the_statement_is_prepared_once_per_connection(
    proxy: Proxy, open_log: Callable[..., DecisionLog], batch_of: Callable[..., list[Decided]]
) -> None:
    log = open_log(pool_size=3)
    with proxy.watch() as traffic:
        for _ in range(12):
            log.write(batch_of(2))
    assert sum("INSERT INTO predictions" in s for s in traffic.statements) <= 3


def test_a_statement_that_was_deallocated_is_prepared_again_and_its_batch_committed(
    service_engine: Engine, batch_of: Callable[..., list[Decided]], rows: Rows
) -> None:
    log = DecisionLog(service_engine)
    log.write(batch_of(1))
    for write in (log.write, partial(write_whole, log)):
        with service_engine.connect() as connection:
            connection.exec_driver_sql("DEALLOCATE ALL")
        batch = batch_of(2)
        assert write(batch) == batch
        stored = {row["id"] for row in rows("SELECT id FROM predictions")}
        assert {decided.prediction_id for decided in batch} <= stored


def test_a_whole_batch_without_keys_is_one_round_trip_and_with_keys_one_more(
    proxy: Proxy, open_log: Callable[..., DecisionLog], batch_of: Callable[..., list[Decided]]
) -> None:
    log = open_log()
    for keyed, round_trips in [(False, 1), (True, 2)]:
        write_whole(log, batch_of(1, keyed=keyed))
        for size in (1, 100, 1000):
            batch = batch_of(size, keyed=keyed)
            with proxy.watch() as traffic:
                assert write_whole(log, batch) == batch
            assert traffic.round_trips == round_trips
            assert not any("INSERT" in statement for statement in traffic.statements)


def test_the_parts_of_a_whole_batch_are_sent_as_they_are_made_in_one_round_trip(
    proxy: Proxy, open_log: Callable[..., DecisionLog], batch_of: Callable[..., list[Decided]]
) -> None:
    log = open_log()
    write_whole(log, batch_of(1))
    parts = [batch_of(256) for _ in range(4)]
    seen: list[int] = []

    def made() -> Iterator[list[Decided]]:
        for part in parts:
            yield part
            seen.append(traffic.messages["E"])

    with proxy.watch() as traffic:
        stored = log.write_whole({d.tenant_id for d in parts[0]}, made(), has_keys=False)
    assert stored == [decided for part in parts for decided in part]
    assert traffic.round_trips == 1
    assert seen[-2] > 0  # Postgres was at work while the last part was made


@pytest.mark.parametrize("size", [1, 1000])
@pytest.mark.parametrize("write", [DecisionLog.write, write_whole])
def test_the_meanwhile_callback_runs_once_after_everything_is_sent(
    proxy: Proxy,
    open_log: Callable[..., DecisionLog],
    batch_of: Callable[..., list[Decided]],
    write: Callable[..., list[Decided]],
    size: int,
) -> None:
    log = open_log()
    write(log, batch_of(1, keyed=False))
    seen: list[int] = []

    def meanwhile() -> None:
        until = monotonic() + 5
        while not (syncs := traffic.messages["S"]) and monotonic() < until:
            sleep(0.001)
        seen.append(syncs)

    with proxy.watch() as traffic:
        write(log, batch_of(size, keyed=False), meanwhile)
    assert seen == [1]


@pytest.mark.parametrize("keyed", [False, True])
def test_a_batch_with_a_failing_part_is_not_stored_and_the_log_still_writes(
    service_engine: Engine,
    batch_of: Callable[..., list[Decided]],
    rows: Rows,
    keyed: bool,
) -> None:
    log = DecisionLog(service_engine)
    first = batch_of(256, keyed=keyed)

    def made() -> Iterator[list[Decided]]:
        yield first
        raise RuntimeError("the model is gone")

    with pytest.raises(RuntimeError, match="the model is gone"):
        log.write_whole({d.tenant_id for d in first}, made(), has_keys=keyed)
    assert rows("SELECT count(*) FROM predictions") == [{"count": 0}]
    assert once_free(lambda: write_whole(log, first)) == first


def once_free(write: Callable[[], list[Decided]], seconds: float = 10) -> list[Decided]:
    """Write again while the keys are in flight: until Postgres has noticed that a line closed."""
    until = monotonic() + seconds
    while True:
        try:
            return write()
        except InvalidRequest:
            if monotonic() > until:
                raise
            sleep(0.01)


def test_any_number_of_replayed_rows_is_read_in_one_more_round_trip(
    proxy: Proxy, open_log: Callable[..., DecisionLog], batch_of: Callable[..., list[Decided]]
) -> None:
    log = open_log()
    stored = batch_of(1000)
    log.write(stored)
    log.write(stored[:1])  # prepares the reading
    for size in (1, 100, 1000):
        with proxy.watch() as traffic:
            outcomes = log.write(stored[:size])
        assert [o.prediction_id for o in outcomes if isinstance(o, Decided)] == [
            d.prediction_id for d in stored[:size]
        ]
        assert traffic.round_trips == 2
        assert traffic.messages["P"] == 0


def test_after_a_connection_lost_between_commit_and_reply_a_retry_returns_the_decision(
    proxy: Proxy,
    open_log: Callable[..., DecisionLog],
    batch_of: Callable[..., list[Decided]],
    rows: Rows,
) -> None:
    log = open_log()
    log.write(batch_of(1))
    (decided,) = batch_of(1)
    external_id = decided.transaction.external_id
    assert external_id is not None
    proxy.cut_before_reply(external_id.encode())
    with pytest.raises(StoreUnavailable, match="send the request again with the same external_id"):
        log.write([decided])
    assert proxy.swallowed.wait(5)
    kept = "SELECT prediction_id FROM idempotency_keys WHERE key = :key"
    assert rows(kept, key=external_id) == [{"prediction_id": decided.prediction_id}]
    (retried,) = log.write([a_decision(decided.tenant_id, external_id=external_id)])
    assert isinstance(retried, Decided)
    assert retried.prediction_id == decided.prediction_id


def test_an_unresponsive_postgres_times_out_and_the_next_batch_reconnects(
    proxy: Proxy, open_log: Callable[..., DecisionLog], batch_of: Callable[..., list[Decided]]
) -> None:
    log = open_log(statement_timeout_s=0.2)
    log.write(batch_of(1))
    with proxy.stalled():
        begun = monotonic()
        with pytest.raises(StoreUnavailable):
            log.write(batch_of(1))
        assert monotonic() - begun < 3
    batch = batch_of(1)
    assert log.write(batch) == batch


def test_a_statement_that_takes_too_long_is_cancelled_by_postgres(
    open_log: Callable[..., DecisionLog], batch_of: Callable[..., list[Decided]], engine: Engine
) -> None:
    log = open_log(statement_timeout_s=0.3)
    log.write(batch_of(1))
    with engine.begin() as blocker:
        blocker.exec_driver_sql("LOCK TABLE predictions IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(StoreUnavailable):
            log.write(batch_of(1))
    batch = batch_of(1)
    assert log.write(batch) == batch
