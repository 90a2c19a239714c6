"""A batch with an idempotency key of its own is stored once, whatever becomes of the first try."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from sqlalchemy import Engine, text

from persistence.actor import Actor
from persistence.decisions.batch_keys import batch_request
from persistence.decisions.rows import Decided
from persistence.decisions.writer import DecisionLog, KeysRefused
from persistence.engine import open_database
from persistence.idempotency import KeyedRequest, Reply, write_once
from persistence.maintenance.maintenance import maintain
from persistence.tenancy import SERVICE_ROLE
from scoring.errors import IdempotencyMismatch, InFlight, StoreUnavailable
from tests.support.data.partition_months import NOW, THIS
from tests.support.factories import a_decision, decision_at, write_whole
from tests.support.fixture_types import MakeTenant, Rows
from tests.support.postgres.proxy import Proxy


def a_batch(tenant_id: int, *external_ids: str | None, amount: float = 5.0) -> list[Decided]:
    """A batch of new decisions, with these ids of the caller's own."""
    return [
        a_decision(tenant_id, external_id=own, amount=amount + i)
        for i, own in enumerate(external_ids)
    ]


def ids(batch: list[Decided]) -> list[Any]:
    return [decided.prediction_id for decided in batch]


OWN_IDS = [(None, None, None), ("a", "b", "c"), (None, "b", None)]


@pytest.mark.parametrize("own", OWN_IDS)
def test_a_repeated_batch_returns_what_the_first_stored_in_its_order(
    service_engine: Engine, make_tenant: MakeTenant, rows: Rows, own: tuple[str | None, ...]
) -> None:
    tenant_id, log = make_tenant().id, DecisionLog(service_engine)
    first = write_whole(log, a_batch(tenant_id, *own), key="batch-1")
    assert all(decided.decided_at is None for decided in first)
    for _ in range(2):
        again = write_whole(log, a_batch(tenant_id, *own), key="batch-1")
        assert ids(again) == ids(first)
        assert [d.transaction for d in again] == [d.transaction for d in first]
        assert [d.prediction for d in again] == [d.prediction for d in first]
        assert all(decided.decided_at is not None for decided in again)
    assert len(rows("SELECT FROM predictions")) == 3
    # A batch without the key is another one.
    write_whole(log, a_batch(tenant_id, *own))
    assert len(rows("SELECT FROM predictions")) == 3 + own.count(None)


def test_a_row_that_was_decided_before_keeps_its_place_in_the_batch(
    service_engine: Engine, make_tenant: MakeTenant
) -> None:
    tenant_id, log = make_tenant().id, DecisionLog(service_engine)
    batch = a_batch(tenant_id, None, "b", None)
    earlier = write_whole(log, [batch[1]])
    first = write_whole(log, a_batch(tenant_id, None, "b", None), key="batch-1")
    again = write_whole(log, a_batch(tenant_id, None, "b", None), key="batch-1")
    assert ids(first)[1] == ids(earlier)[0]
    assert ids(again) == ids(first)


@pytest.mark.parametrize("own", OWN_IDS)
def test_another_batch_or_request_under_the_key_is_refused_and_stores_nothing(
    service_engine: Engine, make_tenant: MakeTenant, rows: Rows, own: tuple[str | None, ...]
) -> None:
    tenant_id, log = make_tenant().id, DecisionLog(service_engine)
    write_whole(log, a_batch(tenant_id, *own), key="batch-1")
    for other in (
        a_batch(tenant_id, *own, amount=6.0),
        a_batch(tenant_id, *own)[::-1],
        a_batch(tenant_id, *own)[:2],
        a_batch(tenant_id, "x", "y", "z"),
    ):
        with pytest.raises(IdempotencyMismatch, match="batch-1"):
            write_whole(log, other, key="batch-1")
    change = KeyedRequest("batch-1", b"a change")
    with pytest.raises(IdempotencyMismatch):
        write_once(
            service_engine, tenant_id, lambda _: Reply(200, b"{}"), actor=Actor("a"), request=change
        )
    assert len(rows("SELECT FROM predictions")) == 3


def test_two_tenants_have_their_own_keys(service_engine: Engine, make_tenant: MakeTenant) -> None:
    log = DecisionLog(service_engine)
    mine, other = make_tenant("mine").id, make_tenant("other").id
    for tenant_id, amount in ((mine, 1.0), (other, 2.0)):
        batch = a_batch(tenant_id, None, amount=amount)
        assert write_whole(log, batch, key="same") == batch


@pytest.mark.parametrize("own", OWN_IDS)
def test_of_batches_at_once_one_is_stored_and_the_others_are_in_flight_or_replayed(
    database: str, make_tenant: MakeTenant, rows: Rows, own: tuple[str | None, ...]
) -> None:
    tenant_id = make_tenant().id
    engine = open_database(database, role=SERVICE_ROLE, pool_size=16)
    log, start = DecisionLog(engine), threading.Barrier(16)

    def write(_: int) -> list[Decided] | InFlight:
        start.wait(20)
        try:
            return write_whole(log, a_batch(tenant_id, *own), key="batch-1")
        except InFlight as error:
            return error

    with ThreadPoolExecutor(16) as threads:
        outcomes = list(threads.map(write, range(16)))
    engine.dispose()
    answered = {tuple(ids(outcome)) for outcome in outcomes if isinstance(outcome, list)}
    assert len(answered) == 1
    assert len(rows("SELECT FROM predictions")) == 3


def test_while_the_first_is_being_stored_its_key_is_in_flight_at_once(
    service_engine: Engine, make_tenant: MakeTenant
) -> None:
    tenant_id, log = make_tenant().id, DecisionLog(service_engine)
    refused: list[InFlight] = []

    def meanwhile() -> None:
        for own in (None, "a"):
            with pytest.raises(InFlight, match="batch-1") as error:
                write_whole(log, a_batch(tenant_id, own), key="batch-1")
            refused.append(error.value)

    write_whole(log, a_batch(tenant_id, None), meanwhile, key="batch-1")
    assert len(refused) == 2


def test_rows_that_another_request_holds_are_in_flight_and_a_retry_is_stored(
    database: str, service_engine: Engine, make_tenant: MakeTenant
) -> None:
    tenant_id, log = make_tenant().id, DecisionLog(service_engine)
    with psycopg.connect(database) as session:
        session.execute("SELECT pg_advisory_xact_lock(hashtextextended('b', %s))", [tenant_id])
        with pytest.raises(KeysRefused) as refused:
            write_whole(log, a_batch(tenant_id, None, "b"), key="batch-1")
        assert refused.value.are_in_flight
        assert [error.field for error in refused.value.errors] == ["1.external_id"]
        session.rollback()
    batch = a_batch(tenant_id, None, "b")
    assert write_whole(log, batch, key="batch-1") == batch


@pytest.mark.parametrize("own", OWN_IDS)
def test_a_first_try_that_ends_before_its_commit_leaves_nothing_and_its_key_free(
    engine: Engine, service_engine: Engine, make_tenant: MakeTenant, rows: Rows,
    own: tuple[str | None, ...],
) -> None:  # fmt: skip
    tenant_id, log = make_tenant().id, DecisionLog(service_engine)

    def crash() -> None:
        with engine.begin() as owner:
            owner.execute(
                text(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
            )

    with pytest.raises(StoreUnavailable):
        write_whole(log, a_batch(tenant_id, *own), crash, key="batch-1")
    assert rows("SELECT FROM predictions") == rows("SELECT FROM idempotent_requests") == []
    batch = a_batch(tenant_id, *own)
    assert write_whole(log, batch, key="batch-1") == batch
    assert ids(write_whole(log, a_batch(tenant_id, *own), key="batch-1")) == ids(batch)


def test_a_first_try_that_ends_after_its_commit_is_returned_to_the_retry(
    database: str, make_tenant: MakeTenant, rows: Rows
) -> None:
    tenant_id = make_tenant().id
    with Proxy(database) as proxy:
        engine = open_database(proxy.url, role=SERVICE_ROLE)
        log = DecisionLog(engine)
        batch = a_batch(tenant_id, None, None)
        proxy.cut_before_reply(b"COMMIT")
        with pytest.raises(StoreUnavailable):
            write_whole(log, batch, key="batch-1")
        assert ids(write_whole(log, a_batch(tenant_id, None, None), key="batch-1")) == ids(batch)
        engine.dispose()
    assert len(rows("SELECT FROM predictions")) == 2


def test_a_key_is_claimed_on_a_connection_that_was_rolled_back_before(
    service_engine: Engine, make_tenant: MakeTenant, rows: Rows
) -> None:
    tenant_id, log = make_tenant().id, DecisionLog(service_engine)
    for i in range(3):
        write_whole(log, a_batch(tenant_id, None), key=f"batch-{i}")
        # psycopg deallocates every prepared statement of the connection after it.
        with pytest.raises(IdempotencyMismatch):
            write_whole(log, a_batch(tenant_id, "other"), key=f"batch-{i}")
    assert len(rows("SELECT FROM predictions")) == 3
    assert len(rows("SELECT FROM idempotent_requests")) == 3


def test_a_key_lives_as_long_as_the_first_decision_of_its_batch(
    engine: Engine, service_engine: Engine, make_tenant: MakeTenant, rows: Rows
) -> None:
    tenant_id, log = make_tenant().id, DecisionLog(service_engine)
    moment = THIS.plus(-3).start
    old = [decision_at(decided, moment) for decided in a_batch(tenant_id, None)]
    write_whole(log, old, key="old")
    write_whole(log, a_batch(tenant_id, None), key="new")
    change = KeyedRequest("change", b"a change")
    write_once(
        service_engine, tenant_id, lambda _: Reply(200, b"{}"), actor=Actor("a"), request=change
    )
    maintain(engine, NOW)
    maintain(engine, NOW, retain_months=1)
    assert {row["key"] for row in rows("SELECT key FROM idempotent_requests")} == {"new", "change"}
    again = a_batch(tenant_id, None)
    assert write_whole(log, again, key="old") == again


def test_the_digest_of_a_batch_tells_rows_and_their_ids_apart() -> None:
    one, two = a_batch(1, "a", "b")
    other_order = batch_request("key", [two.transaction, one.transaction])
    assert batch_request("key", [one.transaction, two.transaction]) != other_order
    unnamed = a_batch(1, None)[0].transaction
    assert batch_request("key", [unnamed]) != batch_request("key", [one.transaction])
