"""A decision is stored from an event loop as from a thread, without blocking the loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from time import monotonic
from typing import Any

import pytest
import uvloop
from sqlalchemy import Engine, text

from persistence.decisions.rows import Decided
from persistence.decisions.writer import DecisionLog, Outcome
from persistence.engine import open_database
from persistence.tenancy import SERVICE_ROLE
from scoring.errors import IdempotencyMismatch, InFlight, NotStorable, StoreUnavailable
from tests.support.factories import a_decision
from tests.support.fixture_types import MakeTenant, Rows
from tests.support.postgres.proxy import Proxy

Run = Callable[[Coroutine[Any, Any, Outcome]], Outcome]

STORED = "SELECT id FROM predictions"


@pytest.fixture(params=[asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Run:
    """Runs on an event loop."""
    result: Run = request.param
    return result


@pytest.fixture
def log(proxy: Proxy) -> Iterator[DecisionLog]:
    """A log that reaches the database through the proxy, on one connection, and gives up soon."""
    engine = open_database(proxy.url, role=SERVICE_ROLE, pool_size=1, statement_timeout_s=0.2)
    yield DecisionLog(engine)
    engine.dispose()


@pytest.fixture
def decide(make_tenant: MakeTenant, log: DecisionLog) -> Callable[..., Decided]:
    """A factory of decisions; the log's connection is open and at rest."""
    tenant_id = make_tenant().id
    log.write([a_decision(tenant_id)])
    assert log.has_free_connection()

    def make(**changes: Any) -> Decided:
        return a_decision(tenant_id, **changes)

    return make


@pytest.mark.parametrize("external_id", [None, "order-1"])
def test_a_decision_is_stored_in_one_round_trip(
    run: Run,
    proxy: Proxy,
    log: DecisionLog,
    decide: Callable[..., Decided],
    rows: Rows,
    external_id: str | None,
) -> None:
    decided = decide(external_id=external_id)
    rendered: list[bool] = []
    with proxy.watch() as traffic:
        assert run(log.write_on_loop(decided, lambda: rendered.append(True))) is decided
    assert (traffic.round_trips, traffic.messages["E"], traffic.messages["P"]) == (1, 2, 0)
    assert rendered == [True]
    assert decided.prediction_id in {row["id"] for row in rows(STORED)}
    assert log.has_free_connection()


def test_a_repeated_key_returns_the_stored_decision_and_another_body_is_refused(
    run: Run, log: DecisionLog, decide: Callable[..., Decided]
) -> None:
    first = decide(external_id="order-1")
    assert run(log.write_on_loop(first)) is first
    again = run(log.write_on_loop(decide(external_id="order-1")))
    assert isinstance(again, Decided)
    assert again.prediction_id == first.prediction_id
    other = run(log.write_on_loop(decide(external_id="order-1", amount=1.0)))
    assert isinstance(other, IdempotencyMismatch)


def test_a_key_that_is_being_decided_is_in_flight(
    run: Run, log: DecisionLog, decide: Callable[..., Decided], engine: Engine
) -> None:
    decided = decide(external_id="order-1")
    with engine.begin() as other:
        lock = "SELECT pg_advisory_xact_lock(hashtextextended('order-1', :tenant_id))"
        other.execute(text(lock), {"tenant_id": decided.tenant_id})
        assert isinstance(run(log.write_on_loop(decided)), InFlight)
    assert run(log.write_on_loop(decided)) is decided


def test_a_row_refused_by_postgres_is_an_error_and_the_next_is_stored(
    run: Run, log: DecisionLog, decide: Callable[..., Decided]
) -> None:
    decided = decide()
    impossible = decided._replace(prediction=decided.prediction._replace(score=2.0))
    assert isinstance(run(log.write_on_loop(impossible)), NotStorable)
    assert run(log.write_on_loop(decided)) is decided


def test_a_statement_that_was_deallocated_is_prepared_again(
    run: Run, log: DecisionLog, decide: Callable[..., Decided], rows: Rows
) -> None:
    with log._engine.connect() as connection:
        connection.exec_driver_sql("DEALLOCATE ALL")
    decided = decide()
    assert run(log.write_on_loop(decided)) is decided
    assert [row["id"] for row in rows(STORED)].count(decided.prediction_id) == 1


def test_the_event_loop_stays_responsive_until_the_statement_times_out(
    run: Run, proxy: Proxy, log: DecisionLog, decide: Callable[..., Decided]
) -> None:
    longest_s = 0.0

    async def others() -> None:
        nonlocal longest_s
        while True:
            begun = monotonic()
            await asyncio.sleep(0.01)
            longest_s = max(longest_s, monotonic() - begun)

    async def beside_others() -> Outcome:
        beside = asyncio.create_task(others())
        try:
            return await log.write_on_loop(decide())
        finally:
            beside.cancel()

    with proxy.stalled(), pytest.raises(StoreUnavailable):
        run(beside_others())
    assert 0 < longest_s < 0.5
    assert not log.has_free_connection()
    decided = decide()
    assert log.write([decided]) == [decided]


@pytest.mark.parametrize("abruptly", [False, True])
def test_a_broken_connection_fails_at_once(
    run: Run, proxy: Proxy, log: DecisionLog, decide: Callable[..., Decided], abruptly: bool
) -> None:
    async def cut() -> Outcome:
        loop = asyncio.get_running_loop()
        loop.call_later(0.05, proxy.cut, abruptly)
        return await log.write_on_loop(decide())

    begun = monotonic()
    with proxy.stalled(), pytest.raises(StoreUnavailable, match="same external_id"):
        run(cut())
    assert monotonic() - begun < 1.0, "sooner than it would have given up"
    assert not log.has_free_connection()


def test_after_a_connection_lost_between_commit_and_reply_a_retry_returns_the_decision(
    run: Run, proxy: Proxy, log: DecisionLog, decide: Callable[..., Decided]
) -> None:
    first = decide(external_id="order-1")
    proxy.cut_before_reply(b"order-1")
    with pytest.raises(StoreUnavailable, match="same external_id"):
        run(log.write_on_loop(first))
    (retried,) = log.write([decide(external_id="order-1")])
    assert isinstance(retried, Decided)
    assert retried.prediction_id == first.prediction_id


def test_a_cancelled_write_discards_its_connection(
    run: Run, proxy: Proxy, log: DecisionLog, decide: Callable[..., Decided]
) -> None:
    async def leave() -> Outcome:
        async with asyncio.timeout(0.05):
            return await log.write_on_loop(decide())

    with proxy.stalled(), pytest.raises(TimeoutError):
        run(leave())
    assert not log.has_free_connection()
    decided = decide()
    assert log.write([decided]) == [decided]
