"""One `external_id` has one decision, whatever the number of concurrent writers."""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from time import monotonic
from typing import Any

from sqlalchemy import Engine

from persistence.decisions.insert_sql import BEGIN, INSERT, SET_TENANTS_PREPARED
from persistence.decisions.rows import Decided
from persistence.decisions.writer import DecisionLog, Outcome, insert_calls
from persistence.engine import open_database
from persistence.pipeline.libpq import round_trip
from persistence.tenancy import SERVICE_ROLE
from scoring.errors import IdempotencyMismatch, InFlight
from tests.support.factories import a_decision
from tests.support.fixture_types import MakeTenant, Rows

DUPLICATES = 64


def written_at_once(log: DecisionLog, batches: Sequence[Sequence[Decided]]) -> list[Outcome]:
    """Write every batch on a thread of its own, all released at the same moment."""
    start = threading.Barrier(len(batches))

    def write(batch: Sequence[Decided]) -> list[Outcome]:
        start.wait(10)
        return log.write(batch)

    with ThreadPoolExecutor(len(batches)) as threads:
        return [outcome for written in threads.map(write, batches) for outcome in written]


def answered_ids(outcomes: Sequence[Outcome]) -> set[str]:
    """Return the predictions that were answered; each of the others was reported as in flight."""
    assert all(isinstance(outcome, Decided | InFlight) for outcome in outcomes)
    return {str(outcome.prediction_id) for outcome in outcomes if isinstance(outcome, Decided)}


def test_64_concurrent_duplicates_are_one_decision(
    database: str, make_tenant: MakeTenant, rows: Rows
) -> None:
    tenant_id = make_tenant().id
    engine = open_database(database, role=SERVICE_ROLE, pool_size=DUPLICATES)
    outcomes = written_at_once(
        DecisionLog(engine),
        [[a_decision(tenant_id, external_id="order-1")] for _ in range(DUPLICATES)],
    )
    engine.dispose()
    assert len(outcomes) == DUPLICATES
    stored = {str(row["id"]) for row in rows("SELECT id FROM predictions")}
    assert len(stored) == 1
    assert answered_ids(outcomes) == stored


def test_duplicates_in_opposite_order_are_stored_once_without_a_deadlock(
    database: str, make_tenant: MakeTenant, rows: Rows
) -> None:
    tenant_id = make_tenant().id
    keys = [f"order-{i}" for i in range(20)]
    engine = open_database(database, role=SERVICE_ROLE, pool_size=8)
    batches = [
        [a_decision(tenant_id, external_id=key) for key in (keys if i % 2 else keys[::-1])]
        for i in range(8)
    ]
    outcomes = written_at_once(DecisionLog(engine), batches)
    engine.dispose()
    stored = rows("SELECT external_id, count(*) FROM transactions GROUP BY 1")
    assert {row["external_id"]: row["count"] for row in stored} == dict.fromkeys(keys, 1)
    predictions = {str(row["id"]) for row in rows("SELECT id FROM predictions")}
    assert answered_ids(outcomes) == predictions


def _write_in_a_process(
    database: str, tenant_id: int, keys: list[str], start: Any, answers: Any
) -> None:
    engine = open_database(database, role=SERVICE_ROLE)
    log = DecisionLog(engine)
    log.write([a_decision(tenant_id)])  # connected and prepared before the start
    start.wait(30)
    outcomes = [log.write([a_decision(tenant_id, external_id=key)])[0] for key in keys]
    engine.dispose()
    answers.put([str(o.prediction_id) if isinstance(o, Decided) else None for o in outcomes])


def test_two_processes_with_the_same_keys_store_each_once(
    database: str, make_tenant: MakeTenant, rows: Rows
) -> None:
    tenant_id = make_tenant().id
    keys = [f"order-{i}" for i in range(100)]
    spawn = multiprocessing.get_context("spawn")
    start, answers = spawn.Barrier(2), spawn.Queue()
    processes = [
        spawn.Process(target=_write_in_a_process, args=(database, tenant_id, keys, start, answers))
        for _ in range(2)
    ]
    for process in processes:
        process.start()
    mine, theirs = (answers.get(timeout=60) for _ in processes)
    for process in processes:
        process.join(30)
    stored = rows("SELECT key, prediction_id FROM idempotency_keys")
    assert len(stored) == len(keys)
    assert rows("SELECT count(*) FROM predictions")[0]["count"] == len(keys) + 2
    expected = {row["key"]: str(row["prediction_id"]) for row in stored}
    for key, one, other in zip(keys, mine, theirs, strict=True):
        assert {one, other} - {None} == {expected[key]}


def test_a_key_held_by_another_session_is_in_flight_and_the_rest_of_the_batch_is_stored(
    engine: Engine, service_engine: Engine, make_tenant: MakeTenant
) -> None:
    tenant_id = make_tenant().id
    log = DecisionLog(service_engine)
    held = a_decision(tenant_id, external_id="held")
    mate = a_decision(tenant_id, external_id="free")
    with engine.connect() as session:
        driver: Any = session.connection.driver_connection
        round_trip(
            driver, (BEGIN, SET_TENANTS_PREPARED, INSERT), [(BEGIN, ()), *insert_calls([held])]
        )
        begun = monotonic()
        in_flight, stored = log.write([a_decision(tenant_id, external_id="held"), mate])
        assert monotonic() - begun < 1
        assert isinstance(in_flight, InFlight)
        assert stored is mate
        driver.commit()
    (answered,) = log.write([a_decision(tenant_id, external_id="held")])
    assert isinstance(answered, Decided)
    assert answered.prediction_id == held.prediction_id


def test_a_rolled_back_key_can_be_stored_by_the_next_session(
    engine: Engine, service_engine: Engine, make_tenant: MakeTenant
) -> None:
    tenant_id = make_tenant().id
    with engine.connect() as session:
        driver: Any = session.connection.driver_connection
        held = a_decision(tenant_id, external_id="held")
        round_trip(
            driver, (BEGIN, SET_TENANTS_PREPARED, INSERT), [(BEGIN, ()), *insert_calls([held])]
        )
        driver.rollback()
    again = a_decision(tenant_id, external_id="held")
    assert DecisionLog(service_engine).write([again]) == [again]


def test_concurrent_requests_with_another_body_are_refused_or_in_flight(
    database: str, make_tenant: MakeTenant, rows: Rows
) -> None:
    tenant_id = make_tenant().id
    engine = open_database(database, role=SERVICE_ROLE, pool_size=16)
    batches = [[a_decision(tenant_id, external_id="k", amount=float(i))] for i in range(16)]
    outcomes = written_at_once(DecisionLog(engine), batches)
    engine.dispose()
    answered = [o for o in outcomes if isinstance(o, Decided)]
    assert len(answered) == 1
    assert all(isinstance(o, Decided | InFlight | IdempotencyMismatch) for o in outcomes)
    (kept,) = rows("SELECT amount FROM transactions")
    assert kept["amount"] == answered[0].transaction.amount
