"""Draining: each journalled decision is one row, with its ids and its time, whatever happens."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic, sleep
from typing import cast

import orjson
import psycopg
import pytest
from sqlalchemy import Engine

from persistence.connection.timeout_connection import TimeoutConnection
from persistence.decisions.insert_sql import insert_call
from persistence.decisions.rows import Decided, read_decision
from persistence.decisions.writer import DecisionLog
from persistence.engine import open_database
from persistence.hourly.folding import GRACE, fold_hours
from persistence.journal import files
from persistence.journal.journal import Journal
from persistence.journal.records import Encoder, keys_of
from persistence.pipeline.libpq import in_transaction
from scoring.errors import IdempotencyMismatch, StoreUnavailable
from tests.support.data.journalled import JournalledStore
from tests.support.data.own_events import CardTenant
from tests.support.event_types import an_event_type
from tests.support.factories import a_decision, a_prediction, decision_at, write_whole
from tests.support.fixture_types import MakeTenant, Rows
from tests.support.postgres.proxy import Proxy

NOW = datetime.now(UTC)


def drain(store: JournalledStore) -> None:
    while store.drainer.drain_part():
        pass


def journalled(outcomes: list[Decided] | list[object]) -> list[Decided]:
    found = [outcome for outcome in outcomes if isinstance(outcome, Decided)]
    assert len(found) == len(outcomes)
    assert all(decided.is_journalled for decided in found)
    return found


def test_decisions_keep_their_ids_their_bits_and_the_time_of_the_decision(
    store: JournalledStore, make_tenant: MakeTenant, engine: Engine, rows: Rows
) -> None:
    tenant = make_tenant()
    before = datetime.now(UTC)
    batch = [a_decision(tenant.id, external_id=f"order-{i}") for i in range(250)]
    unread = a_prediction(unread_windows=("count(by=CUSTOMER_ID, window='1d')",))
    batch[7] = batch[7]._replace(prediction=unread)
    journalled(store.log.write(batch))
    after = datetime.now(UTC)
    drain(store)
    assert store.drainer.outcomes == {"stored": 250}
    assert (store.journal.waiting, store.journal.size) == (0, 0)
    for decided in batch[:9]:
        read = read_decision(engine, tenant.id, decided.prediction_id)
        assert read.decided_at is not None
        assert before <= read.decided_at <= after
        assert read == decided._replace(decided_at=read.decided_at)
    (drained,) = rows("SELECT count(*) AS n FROM predictions WHERE drained_at > created_at")
    assert drained["n"] == 250


def test_events_of_a_tenants_own_type_are_past_events_once(
    store: JournalledStore, engine: Engine, rows: Rows
) -> None:
    cards = CardTenant(engine, an_event_type())
    decided = cards.decided()
    journalled(store.log.write([decided]))
    drain(store)
    read = read_decision(engine, cards.id, decided.prediction_id)
    assert read == decided._replace(decided_at=read.decided_at)
    past = rows("SELECT entity FROM entity_events WHERE event_id = :id", id=decided.transaction_id)
    assert len(past) == 2


def test_a_drainer_that_was_killed_after_its_commit_stores_nothing_twice(
    store: JournalledStore, make_tenant: MakeTenant, rows: Rows
) -> None:
    tenant = make_tenant()
    batch = [a_decision(tenant.id, external_id=f"order-{i}" if i % 2 else None) for i in range(9)]
    journalled(store.log.write(batch))
    part = store.journal.oldest(100)
    store.drainer._store(part)  # and the process ends before it removes them
    drain(store)
    assert store.drainer.outcomes == {"stored": 9, "known": 9}
    (found,) = rows("SELECT count(*) AS n, count(DISTINCT id) AS ids FROM predictions")
    assert found == {"n": 9, "ids": 9}


def test_a_batch_whose_commit_was_in_doubt_is_stored_once(
    store: JournalledStore, make_tenant: MakeTenant, rows: Rows
) -> None:
    tenant = make_tenant()
    batch = [a_decision(tenant.id, external_id="order-1"), a_decision(tenant.id)]
    assert DecisionLog(store.journal_engine).write(batch) == batch  # and the reply is lost
    journalled(store.log.write(batch))
    drain(store)
    assert store.drainer.outcomes == {"known": 2}
    assert len(rows("SELECT id FROM predictions")) == 2


def test_a_commit_that_was_in_doubt_and_ends_while_it_is_drained_is_stored_once(
    database: str, store: JournalledStore, make_tenant: MakeTenant, rows: Rows
) -> None:
    decided = a_decision(make_tenant().id)
    journalled(store.log.write([decided]))
    other = open_database(database, pool_size=1)
    with ThreadPoolExecutor(1) as thread, other.connect() as connection:
        # Another session has stored it and has not committed yet.
        with connection.begin():
            connection.exec_driver_sql(f"SET LOCAL sentinel.tenant_ids = '{decided.tenant_id}'")
            driver = cast("TimeoutConnection", connection.connection.driver_connection)
            in_transaction(driver, insert_call([decided]))
            draining = thread.submit(store.drainer.drain_part)
            sleep(0.5)
        with pytest.raises(StoreUnavailable):
            draining.result(10)
    other.dispose()
    drain(store)
    assert store.drainer.outcomes == {"known": 1}
    assert len(rows("SELECT id FROM predictions")) == 1


def test_repeats_are_recognised_while_postgres_is_away_and_after_a_restart(
    database: str, store: JournalledStore, make_tenant: MakeTenant, tmp_path: Path
) -> None:
    tenant = make_tenant()
    first = a_decision(tenant.id, external_id="order-1")
    (kept,) = journalled(store.log.write([first]))
    again = a_decision(tenant.id, external_id="order-1")
    other = a_decision(tenant.id, external_id="order-1", amount=7.0)
    for _ in range(2):
        repeated, refused = store.log.write([again, other])
        assert isinstance(repeated, Decided)
        assert repeated.prediction_id == first.prediction_id
        assert repeated.is_journalled
        assert isinstance(refused, IdempotencyMismatch)
        store.close()
        store = JournalledStore(database, tmp_path)
        store.circuit.open(StoreUnavailable("away"))
    store.circuit.close()  # Postgres is back, and nothing is drained yet
    (repeated,) = store.log.write([again])
    assert isinstance(repeated, Decided)
    assert repeated.prediction_id == kept.prediction_id
    drain(store)
    (repeated,) = store.log.write([again])
    assert isinstance(repeated, Decided)
    assert (repeated.prediction_id, repeated.is_journalled) == (first.prediction_id, False)


def test_a_repeat_within_one_batch_is_one_record(
    store: JournalledStore, make_tenant: MakeTenant
) -> None:
    tenant = make_tenant()
    batch = [a_decision(tenant.id, external_id="order-1") for _ in range(3)]
    ids = {decided.prediction_id for decided in journalled(store.log.write(batch))}
    assert ids == {batch[0].prediction_id}
    assert store.journal.waiting == 1


def test_a_whole_batch_is_one_record_and_its_key_answers_it(
    store: JournalledStore, make_tenant: MakeTenant, rows: Rows
) -> None:
    tenant = make_tenant()
    batch = [a_decision(tenant.id, external_id=f"order-{i}") for i in range(4)]
    first = journalled(write_whole(store.log, batch, key="batch-1"))
    assert len(store.journal.oldest(10)) == 1
    again = [d._replace(transaction_id=d.prediction_id) for d in batch]
    repeated = write_whole(store.log, again, key="batch-1")
    assert [d.prediction_id for d in repeated] == [d.prediction_id for d in first]
    drain(store)
    store.circuit.close()
    repeated = write_whole(store.log, batch, key="batch-1")
    assert [d.prediction_id for d in repeated] == [d.prediction_id for d in first]
    assert len(rows("SELECT id FROM predictions")) == 4


def test_a_record_that_postgres_refuses_is_set_aside_and_holds_up_nothing(
    store: JournalledStore, make_tenant: MakeTenant, rows: Rows, tmp_path: Path
) -> None:
    tenant = make_tenant()
    batch = [a_decision(tenant.id, external_id=f"order-{i}") for i in range(20)]
    batch[3] = batch[3]._replace(policy_id=999_999)
    journalled(store.log.write(batch))
    drain(store)
    assert store.drainer.outcomes == {"stored": 19, "refused": 1}
    (path,) = files.quarantined(tmp_path / "0")
    document = orjson.loads(path.read_bytes())
    assert "policy" in document["reason"]
    assert document["record"]["id"] == str(batch[3].prediction_id)
    assert len(rows("SELECT id FROM predictions")) == 19


def test_a_key_that_postgres_had_before_keeps_its_decision(
    store: JournalledStore, make_tenant: MakeTenant, rows: Rows, tmp_path: Path
) -> None:
    tenant = make_tenant()
    earlier = a_decision(tenant.id, external_id="order-1")
    assert DecisionLog(store.journal_engine).write([earlier]) == [earlier]
    journalled(store.log.write([a_decision(tenant.id, external_id="order-1")]))
    drain(store)
    assert store.drainer.outcomes == {"superseded": 1}
    assert len(files.quarantined(tmp_path / "0")) == 1
    assert [row["id"] for row in rows("SELECT id FROM predictions")] == [earlier.prediction_id]


def test_a_key_that_is_in_flight_is_tried_again(
    database: str, store: JournalledStore, make_tenant: MakeTenant
) -> None:
    tenant = make_tenant()
    journalled(store.log.write([a_decision(tenant.id, external_id="order-1")]))
    with psycopg.connect(database) as other:
        other.execute("SELECT pg_advisory_xact_lock(hashtextextended('order-1', %s))", [tenant.id])
        with pytest.raises(StoreUnavailable, match="open transaction"):
            store.drainer.drain_part()
    drain(store)
    assert store.drainer.outcomes == {"stored": 1}


def test_a_record_is_tried_again_where_postgres_has_forgotten_prepared_statements(
    database: str, make_tenant: MakeTenant, tmp_path: Path, rows: Rows
) -> None:
    tenant = make_tenant()
    with Proxy(database) as proxy:
        store = JournalledStore(proxy.url, tmp_path)
        store.circuit.open(StoreUnavailable("away"))
        for _ in range(8):  # psycopg prepares what it has executed five times
            journalled(store.log.write([a_decision(tenant.id)]))
            assert store.drainer.drain_part() == 1
        journalled(store.log.write([a_decision(tenant.id)]))
        proxy.forget_statements()
        with pytest.raises(StoreUnavailable, match="forgotten"):
            store.drainer.drain_part()
        drain(store)
        assert store.drainer.outcomes == {"stored": 9}
        store.close()
    assert files.quarantined(tmp_path / "0") == []
    assert len(rows("SELECT id FROM predictions")) == 9


def test_late_decisions_are_in_the_figures_of_their_hour(
    store: JournalledStore, make_tenant: MakeTenant, engine: Engine, rows: Rows
) -> None:
    tenant = make_tenant()
    long_ago = NOW - timedelta(hours=3)
    on_time = decision_at(a_decision(tenant.id), long_ago)
    DecisionLog(engine).write([on_time])
    fold_hours(engine, tenant.id, NOW + GRACE)
    late = [decision_at(a_decision(tenant.id), long_ago) for _ in range(3)]
    journalled(store.log.write(late))
    drain(store)
    fold_hours(engine, tenant.id, NOW + GRACE + timedelta(minutes=1))
    counted = rows("SELECT decisions FROM decision_hours WHERE tenant_id = :t", t=tenant.id)
    assert sum(sum(row["decisions"]) for row in counted) == 4


def test_a_journal_of_an_earlier_process_is_drained(
    database: str, make_tenant: MakeTenant, tmp_path: Path, rows: Rows
) -> None:
    tenant = make_tenant()
    left = Journal(tmp_path, 1 << 20)
    decided = a_decision(tenant.id, external_id="order-1")
    left.claim(keys_of([decided]).items())
    left.append([Encoder().decision(decided, NOW)])
    left.close()
    store = JournalledStore(database, tmp_path)
    assert store.log.is_diverted
    store.watcher.start()
    try:
        wait_until(lambda: not store.log.is_diverted)
    finally:
        store.close()
    assert [row["id"] for row in rows("SELECT id FROM predictions")] == [decided.prediction_id]


def wait_until(holds: Callable[[], bool], within_s: float = 10.0) -> None:
    deadline = monotonic() + within_s
    while not holds():
        assert monotonic() < deadline
        sleep(0.02)
