"""The follower keeps a tenant's fault with its registered model, and shows it."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import anyio
import pytest
from sqlalchemy import Engine, text

from observability.deployment_metrics import DeploymentMetrics
from persistence.circuit import Circuit
from persistence.engine import open_database
from persistence.tenancy import SERVICE_ROLE
from persistence.tenants import Tenant, create_tenant
from registry.client.factory import open_registry
from registry.store.model_store import ModelStore
from scoring.errors import NoModel
from scoring.transaction import PAYSIM
from serving.deployment import faults as faults_module
from serving.deployment.alias_follower import AliasFollower
from serving.deployment.recorder import DeploymentRecorder, RefusalRecorder
from serving.deployment.tenant_settings import TenantSettings
from serving.health import StoreChecks, report
from tests.support.factories import a_model
from tests.support.fixture_types import Rows
from tests.support.stack import Publish


@pytest.fixture
def follower(
    database: str, mlflow_server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[AliasFollower]:
    """A follower with short time-outs, which reads only when a test calls `refresh`."""
    monkeypatch.setattr(faults_module, "_FIRST_DELAY_S", 0.0)
    engine = open_database(database, role=SERVICE_ROLE, statement_timeout_s=0.5)
    refused = RefusalRecorder(engine)
    store = ModelStore(open_registry(mlflow_server), tmp_path / "m", on_refusal=refused.add)
    recorder = DeploymentRecorder(engine, store)
    yield AliasFollower(store, recorder, TenantSettings(engine), refused, poll_seconds=60)
    engine.dispose()


@pytest.fixture
def tenants(engine: Engine) -> tuple[Tenant, Tenant]:
    """Two tenants with registered models of their own: faulty, sound."""
    suffix = uuid4().hex[:6]
    faulty, sound = (
        create_tenant(engine, slug, f"fraud-{slug}-{suffix}") for slug in ("faulty", "sound")
    )
    return faulty, sound


def execute(engine: Engine, statement: str, **values: object) -> None:
    with engine.begin() as connection:
        connection.execute(text(statement), values)


def set_policy(engine: Engine, tenant: Tenant, policy: str | None) -> None:
    execute(
        engine,
        "INSERT INTO policies (tenant_id, policy, actor) VALUES (:id, :policy, 'someone')",
        id=tenant.id,
        policy=policy,
    )


def refuse_records_of(tenant_id: int) -> str:
    return f"""
        CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            IF NEW.tenant_id = {tenant_id} THEN RAISE EXCEPTION 'secret row'; END IF;
            RETURN NEW;
        END $$;
        CREATE TRIGGER refuse BEFORE INSERT ON model_versions
            FOR EACH ROW EXECUTE FUNCTION refuse();
    """


def test_a_tenant_whose_record_postgres_rejects(
    engine: Engine, follower: AliasFollower, tenants: tuple[Tenant, Tenant], publish: Publish,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    faulty, sound = tenants
    for tenant in tenants:
        publish(tenant.model_name)
    execute(engine, refuse_records_of(faulty.id))
    with caplog.at_level(logging.INFO):
        for _ in range(3):
            follower.refresh()
    assert follower.in_use() == {sound.model_name: 1}
    reason = "Postgres rejects its record (SQLSTATE P0001); the log has the error"
    assert follower.faults == {faulty.model_name: reason}
    begun = [r.getMessage() for r in caplog.records if r.getMessage().endswith(reason)]
    assert begun == [f"{faulty.model_name} is not followed: {reason}"], "it is logged once"
    assert sum(record.exc_info is not None for record in caplog.records) == 1

    document = json.loads(bytes(report(StoreChecks(engine, Circuit(), None), follower).body))
    assert (document["ready"], document["registry"]) == (True, "ok")
    assert document["faults"] == {faulty.model_name: reason}
    _, _, fault, followed = DeploymentMetrics(
        follower.has_model,
        follower.challengers,
        lambda: follower.faults,
        lambda: follower.followed_at_s,
    ).collect()
    assert [(s.labels, s.value) for s in fault.samples] == [({"model": faulty.model_name}, 1)]
    assert followed.samples[0].value > 1e9

    execute(engine, "DROP TRIGGER refuse ON model_versions")
    publish(sound.model_name, a_model(1))
    with caplog.at_level(logging.INFO):
        follower.refresh()
    assert follower.in_use() == {faulty.model_name: 1, sound.model_name: 2}
    assert follower.faults == {}
    assert f"{faulty.model_name} is followed again" in caplog.messages


def test_two_tenants_of_one_model_one_of_which_postgres_rejects(
    engine: Engine, follower: AliasFollower, tenants: tuple[Tenant, Tenant], publish: Publish
) -> None:
    faulty, _ = tenants
    sharing = create_tenant(engine, "sharing", faulty.model_name)
    publish(faulty.model_name)
    execute(engine, refuse_records_of(faulty.id))
    follower.refresh()
    assert follower._deployments.keys() == {sharing.id}
    assert "SQLSTATE P0001" in follower.faults[faulty.model_name]


def test_a_tenant_whose_rows_another_session_locks(
    engine: Engine, follower: AliasFollower, tenants: tuple[Tenant, Tenant], publish: Publish
) -> None:
    faulty, sound = tenants
    for tenant in tenants:
        publish(tenant.model_name)
    follower.refresh()
    for tenant in tenants:
        publish(tenant.model_name, a_model(1))
    with engine.begin() as locking:
        locking.execute(
            text("SELECT 1 FROM production_versions WHERE tenant_id = :id FOR UPDATE"),
            {"id": faulty.id},
        )
        follower.refresh()
        assert follower.in_use() == {faulty.model_name: 1, sound.model_name: 2}
        assert list(follower.faults) == [faulty.model_name]
    follower.refresh()
    assert follower.in_use() == {faulty.model_name: 2, sound.model_name: 2}
    assert follower.faults == {}


def test_a_tenant_whose_policy_cannot_be_read(
    engine: Engine, follower: AliasFollower, tenants: tuple[Tenant, Tenant], publish: Publish
) -> None:
    faulty, sound = tenants
    for tenant in tenants:
        publish(tenant.model_name)
    costs = {"missed_fraud": 1, "missed_fraud_share": 0, "false_alarm": 1, "of_a_later_release": 1}
    policy = {"threshold": 0.5, "high_from": 0.9, "cost_model": costs}
    set_policy(engine, faulty, json.dumps(policy))
    follower.refresh()
    assert follower.in_use() == {sound.model_name: 1}, "no other policy than its own decides"
    assert "tenant faulty: The stored policy" in follower.faults[faulty.model_name]
    set_policy(engine, faulty, None)
    follower.refresh()
    assert follower.in_use() == {faulty.model_name: 1, sound.model_name: 1}
    assert follower.faults == {}


def test_a_refusal_that_cannot_be_stored_does_not_hold_up_the_next(
    engine: Engine, follower: AliasFollower, tenants: tuple[Tenant, Tenant], publish: Publish,
    rows: Rows,
) -> None:  # fmt: skip
    faulty, sound = tenants

    def spoil(folder: Path) -> None:
        (folder / "policy.json").write_text("{")

    for tenant in tenants:
        publish(tenant.model_name, spoil=spoil)
    execute(
        engine,
        refuse_records_of(faulty.id).replace("ON model_versions", "ON refusals"),
    )
    follower.refresh()
    stored = rows("SELECT tenant_id FROM refusals")
    assert [row["tenant_id"] for row in stored] == [sound.id]
    execute(engine, "DROP TRIGGER refuse ON refusals")
    follower.refresh()
    assert len(rows("SELECT tenant_id FROM refusals")) == 2


def test_a_name_that_no_registered_model_can_have_leaves_the_others_alone(
    engine: Engine, follower: AliasFollower, tenants: tuple[Tenant, Tenant], publish: Publish
) -> None:
    faulty, sound = tenants
    publish(sound.model_name)
    for number, name in enumerate(("a/b", "..", "", "x" * 3000, "new\nline", "' OR 1=1 --")):
        tenant = create_tenant(engine, f"odd-{number}", "fraud-odd")
        statement = "UPDATE tenants SET model_name = :name WHERE id = :id"
        execute(engine, statement, name=name, id=tenant.id)
    follower.refresh()
    assert follower.in_use() == {sound.model_name: 1}
    assert sound.model_name not in follower.faults
    with pytest.raises(NoModel):
        anyio.run(follower.assignment, faulty.id, PAYSIM)
