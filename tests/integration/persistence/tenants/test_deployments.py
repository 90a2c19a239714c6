"""Production, challenger and refused versions of a tenant, and its test mode."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import IntegrityError

from persistence.decisions.rows import read_decision
from persistence.decisions.writer import DecisionLog
from persistence.deployments.recording import (
    record_challenger,
    record_promotions,
    record_test_model,
)
from persistence.deployments.refusals import list_refusals, record_refusal
from persistence.deployments.served_versions import ServedVersion, served_versions
from persistence.tenancy import tenant_transaction
from persistence.tenants import Tenant, create_tenant, find_tenant, list_tenants, set_test_mode
from scoring.errors import NotFound
from scoring.model import sandbox
from scoring.model.fraud_model import FraudModel
from scoring.prediction import ModelVersion
from tests.support.factories import a_decision, a_model, a_transaction
from tests.support.fixture_types import MakeTenant, Rows

REGISTERED_MS = 1_700_000_000_000


def version(number: int) -> FraudModel:
    return a_model(version=ModelVersion("fraud-demo", number), threshold=number / 100)


def _served(engine: Engine, tenant: Tenant) -> list[ServedVersion]:
    with tenant_transaction(engine, tenant.id) as connection:
        return served_versions(connection, tenant.id)


def audited(rows: Rows, noun: str) -> list[tuple[str, str, dict[str, Any] | None]]:
    entries = rows(
        "SELECT actor, action, after FROM audit_log WHERE action LIKE :noun ORDER BY id",
        noun=f"{noun}.%",
    )
    return [(e["actor"], e["action"], e["after"]) for e in entries]


def test_a_challenger_and_its_canary_share_are_audited_once_per_change(
    service_engine: Engine, make_tenant: MakeTenant, rows: Rows
) -> None:
    tenant = make_tenant()
    for percent in (0.0, 0.0, 12.5, 12.5):
        record_challenger(service_engine, tenant.id, version(2), percent)
    seen = [
        (actor, action, after["canary_percent"])
        for actor, action, after in audited(rows, "challenger")
        if after
    ]
    assert seen == [
        ("mlflow", "challenger.created", 0.0),
        ("mlflow", "challenger.changed", 12.5),
    ]


def test_since_changes_with_the_challenger_version_and_not_with_its_canary_share(
    service_engine: Engine, make_tenant: MakeTenant, rows: Rows
) -> None:
    tenant = make_tenant()
    since = []
    for number, percent in [(2, 0.0), (2, 50.0), (3, 50.0)]:
        record_challenger(service_engine, tenant.id, version(number), percent)
        since.append(rows("SELECT since FROM challenger_versions")[0]["since"])
    assert since[0] == since[1] < since[2]


def test_a_withdrawn_challenger_is_removed_and_audited_once(
    service_engine: Engine, make_tenant: MakeTenant, rows: Rows
) -> None:
    tenant = make_tenant()
    record_challenger(service_engine, tenant.id, version(2), 5.0)
    for _ in range(2):
        record_challenger(service_engine, tenant.id, None, 0.0)
    assert rows("SELECT FROM challenger_versions") == []
    assert [action for _, action, _ in audited(rows, "challenger")] == [
        "challenger.created",
        "challenger.removed",
    ]
    assert [v.model.version for v in _served(service_engine, tenant)] == [2, 1]


@pytest.mark.parametrize("percent", [-0.1, 100.1, float("nan")])
def test_postgres_refuses_a_canary_share_outside_0_to_100(
    service_engine: Engine, make_tenant: MakeTenant, percent: float
) -> None:
    tenant = make_tenant()
    with pytest.raises(IntegrityError, match="canary_percent_in_range"):
        record_challenger(service_engine, tenant.id, version(2), percent)


def test_a_model_that_is_not_registered_cannot_challenge(
    service_engine: Engine, make_tenant: MakeTenant
) -> None:
    with pytest.raises(ValueError, match="registered"):
        record_challenger(service_engine, make_tenant().id, a_model(), 0.0)


def test_a_challenger_may_make_decisions(service_engine: Engine, make_tenant: MakeTenant) -> None:
    tenant = make_tenant()
    record_challenger(service_engine, tenant.id, version(1), 5.0)
    decision = a_decision(tenant.id)
    assert DecisionLog(service_engine).write([decision]) == [decision]


def test_served_versions_come_newest_first_with_their_current_roles(
    service_engine: Engine, make_tenant: MakeTenant
) -> None:
    tenant, other = make_tenant(), make_tenant("other")
    record_promotions(service_engine, [tenant.id], version(2))
    record_challenger(service_engine, tenant.id, version(3), 7.5)
    record_test_model(service_engine, tenant.id)
    challenger, production, before = _served(service_engine, tenant)
    assert isinstance(production, ServedVersion)
    assert [v.model.version for v in (challenger, production, before)] == [3, 2, 1]
    assert production.policy == version(2).policy
    assert production.calibrator_kind == version(2).calibrator.kind
    assert production.production_since
    assert production.production_since >= production.first_served_at
    assert (production.challenger_since, production.canary_percent) == (None, None)
    assert challenger.challenger_since
    assert (challenger.production_since, challenger.canary_percent) == (None, 7.5)
    assert (before.production_since, before.challenger_since) == (None, None)
    assert [v.model.version for v in _served(service_engine, other)] == [1]


def test_a_refusal_is_recorded_and_audited_once_by_two_processes_at_the_same_moment(
    service_engine: Engine, make_tenant: MakeTenant, rows: Rows
) -> None:
    tenant = make_tenant()
    together = threading.Barrier(2)

    def refuse(reason: str) -> None:
        together.wait()
        record_refusal(service_engine, tenant.id, "fraud-demo", 9, REGISTERED_MS, reason)

    reasons = ("golden row 3 is off", "a file is missing")
    processes = [threading.Thread(target=refuse, args=(reason,)) for reason in reasons]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    (refusal,) = list_refusals(service_engine, tenant.id, 10)
    assert (refusal.name, refusal.version, refusal.registered_ms) == (
        "fraud-demo",
        9,
        REGISTERED_MS,
    )
    assert refusal.reason in reasons
    ((actor, action, after),) = audited(rows, "refusal")
    assert (actor, action) == ("mlflow", "refusal.created")
    assert after
    assert after["reason"] == refusal.reason


def test_refusals_of_a_tenant_come_latest_first_up_to_the_limit(
    service_engine: Engine, make_tenant: MakeTenant
) -> None:
    tenant, other = make_tenant(), make_tenant("other")
    for number, registered_ms in [(4, 1), (5, 1), (4, 2)]:
        record_refusal(service_engine, tenant.id, "fraud-demo", number, registered_ms, "bad")
    record_refusal(service_engine, other.id, "fraud-demo", 6, 1, "bad")
    refusals = list_refusals(service_engine, tenant.id, 2)
    assert [(r.version, r.registered_ms) for r in refusals] == [(4, 2), (5, 1)]


def test_a_tenant_is_live_unless_created_in_test_mode(engine: Engine) -> None:
    live = create_tenant(engine, "live", "fraud-live")
    test = create_tenant(engine, "test", "fraud-test", is_test=True)
    assert (live.is_test, test.is_test) == (False, True)
    assert list_tenants(engine) == [live, test]
    assert find_tenant(engine, "test") == test


def test_test_mode_is_switched_and_audited(
    engine: Engine, make_tenant: MakeTenant, rows: Rows
) -> None:
    tenant = make_tenant()
    assert set_test_mode(engine, tenant.slug, True).is_test
    assert find_tenant(engine, tenant.slug).is_test
    assert not set_test_mode(engine, tenant.slug, False).is_test
    changes = [after["is_test"] for _, action, after in audited(rows, "tenant") if after]
    assert changes == [False, True, False]
    with pytest.raises(NotFound, match="no tenant 'nobody'"):
        set_test_mode(engine, "nobody", True)


def test_the_answer_to_a_fixed_test_transaction_is_stored_like_any_other(
    service_engine: Engine, make_tenant: MakeTenant
) -> None:
    tenant = make_tenant()
    for _ in range(2):
        record_test_model(service_engine, tenant.id)
    transaction = a_transaction(name_orig="TEST-HIGH")
    decision = a_decision(tenant.id, name_orig="TEST-HIGH")
    fixed = sandbox.fixed_prediction(transaction)
    decision = decision._replace(prediction=fixed)
    assert DecisionLog(service_engine).write([decision]) == [decision]
    stored = read_decision(service_engine, tenant.id, decision.prediction_id)
    assert stored.prediction == fixed
