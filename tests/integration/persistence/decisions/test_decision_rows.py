"""Decisions are stored once per `external_id` and read back bit for bit."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine

from persistence.decisions.rows import Decided, read_decision
from persistence.decisions.writer import DecisionLog
from persistence.uuid7 import new_ids
from scoring.errors import IdempotencyMismatch, InvalidRequest, NotFound
from scoring.features import FEATURE_NAMES
from tests.support.factories import a_decision, write_whole
from tests.support.fixture_types import MakeTenant, Rows


def test_a_decision_reads_back_to_the_last_bit(engine: Engine, make_tenant: MakeTenant) -> None:
    written = a_decision(make_tenant().id, external_id="order-1")
    DecisionLog(engine).write([written])
    read = read_decision(engine, written.tenant_id, written.prediction_id)
    assert read.prediction == written.prediction
    assert read.transaction == written.transaction
    assert read.decided_at is not None


def test_the_stored_contributions_add_up_to_the_stored_margin(
    engine: Engine, make_tenant: MakeTenant, rows: Rows
) -> None:
    tenant = make_tenant()
    DecisionLog(engine).write([a_decision(tenant.id) for _ in range(5)])
    stored = rows("SELECT base_value, margin, contributions FROM predictions")
    assert len(stored) == 5
    for row in stored:
        assert set(row["contributions"]) == set(FEATURE_NAMES)
        total = row["base_value"] + sum(row["contributions"].values())
        assert total == pytest.approx(row["margin"], abs=1e-9)


def test_a_batch_may_carry_several_tenants(
    engine: Engine, make_tenant: MakeTenant, rows: Rows
) -> None:
    one, other = make_tenant("one"), make_tenant("other")
    DecisionLog(engine).write([a_decision(t.id) for t in (one, other, one)])
    counts = rows("SELECT tenant_id, count(*) FROM predictions GROUP BY tenant_id")
    assert {r["tenant_id"]: r["count"] for r in counts} == {one.id: 2, other.id: 1}


def test_a_repeated_external_id_returns_the_stored_decision(
    engine: Engine, make_tenant: MakeTenant, rows: Rows
) -> None:
    log, tenant = DecisionLog(engine), make_tenant()
    first = a_decision(tenant.id, external_id="order-1")
    log.write([first])
    (again,) = log.write([a_decision(tenant.id, external_id="order-1")])
    assert isinstance(again, Decided)
    assert again.prediction_id == first.prediction_id
    assert again.prediction == first.prediction
    assert rows("SELECT count(*) FROM predictions")[0]["count"] == 1


def test_a_repeated_external_id_with_another_body_is_refused_and_the_rest_of_the_batch_stored(
    engine: Engine, make_tenant: MakeTenant, rows: Rows
) -> None:
    log, tenant = DecisionLog(engine), make_tenant()
    log.write([a_decision(tenant.id, external_id="order-1")])
    mate = a_decision(tenant.id)
    refused, stored = log.write([a_decision(tenant.id, external_id="order-1", amount=1.0), mate])
    assert isinstance(refused, IdempotencyMismatch)
    assert stored is mate
    assert rows("SELECT count(*) FROM predictions")[0]["count"] == 2


def test_one_batch_that_holds_a_key_twice_stores_it_once(
    engine: Engine, make_tenant: MakeTenant
) -> None:
    tenant = make_tenant()
    batch = [a_decision(tenant.id, external_id="twice") for _ in range(2)]
    first, second = DecisionLog(engine).write(batch)
    assert isinstance(first, Decided)
    assert isinstance(second, Decided)
    assert first.prediction_id == second.prediction_id


def test_two_tenants_may_use_the_same_external_id(engine: Engine, make_tenant: MakeTenant) -> None:
    batch = [a_decision(make_tenant(slug).id, external_id="same") for slug in ("one", "other")]
    assert DecisionLog(engine).write(batch) == batch


def test_a_whole_batch_with_one_taken_external_id_stores_nothing_and_names_the_row(
    engine: Engine, make_tenant: MakeTenant, rows: Rows
) -> None:
    log, tenant = DecisionLog(engine), make_tenant()
    log.write([a_decision(tenant.id, external_id="taken")])
    batch = [a_decision(tenant.id), a_decision(tenant.id, external_id="taken", amount=1.0)]
    with pytest.raises(InvalidRequest) as refused:
        write_whole(log, batch)
    assert [e.field for e in refused.value.errors] == ["1.external_id"]
    assert rows("SELECT count(*) FROM predictions")[0]["count"] == 1


def test_another_tenants_decision_is_not_found(engine: Engine, make_tenant: MakeTenant) -> None:
    written = a_decision(make_tenant("one").id)
    DecisionLog(engine).write([written])
    with pytest.raises(NotFound):
        read_decision(engine, make_tenant("other").id, written.prediction_id)
    with pytest.raises(NotFound):
        read_decision(engine, written.tenant_id, new_ids(1)[0][0])
