"""A tenant that asks for four eyes is served only by versions that a second person approved."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import anyio
import pytest
from mlflow import MlflowClient
from sqlalchemy import Engine

from persistence.actor import Actor
from persistence.deployments.approvals import ApprovedVersion, approve_version
from persistence.deployments.refusals import list_refusals, record_refusal
from persistence.tenancy import tenant_transaction
from persistence.tenants import Tenant, create_tenant, set_four_eyes
from registry.client.factory import open_registry
from registry.names import CANARY_TAG, REFUSED_TAG
from registry.publish.promotion import Promotion, promote
from registry.store.model_store import ModelStore
from scoring.errors import NoModel
from scoring.transaction import PAYSIM
from serving.deployment.alias_follower import AliasFollower
from serving.deployment.recorder import DeploymentRecorder, RefusalRecorder
from serving.deployment.tenant_settings import TenantSettings
from tests.support.fixture_types import Rows
from tests.support.stack import Publish

WAITS = "A second person has to approve it: POST /models/2/approve."


class Process:
    """One process after another, on one database and MLflow.

    Args:
        engine: database pool that acts as the tables' owner.
        service_engine: database pool that acts as the service.
        start: factory of followers, which read only on `refresh`, of an MLflow's address.
        mlflow: client of MLflow.
        publish: function that registers a version and gives it an alias.
    """

    def __init__(
        self,
        engine: Engine,
        service_engine: Engine,
        start: Callable[..., AliasFollower],
        mlflow: MlflowClient,
        publish: Publish,
    ) -> None:
        self.engine, self.service_engine = engine, service_engine
        self.start, self.mlflow = start, mlflow
        name = f"fraud-four-{uuid4().hex[:6]}"
        self.tenant = create_tenant(engine, "bank", name)
        self.follower = start()
        self._publish = publish

    def publish(self, alias: str = "production") -> int:
        return int(self._publish(self.tenant.model_name, alias=alias))

    def four_eyes(self, asked: bool = True) -> None:
        set_four_eyes(self.engine, "bank", asked)

    def approve(self, number: int, by: str = "ruth", tenant: Tenant | None = None) -> None:
        of = tenant or self.tenant
        found = self.mlflow.get_model_version(of.model_name, str(number))
        version = ApprovedVersion(of.model_name, number, int(found.creation_timestamp))
        actor = Actor(by, "key abc")
        with tenant_transaction(self.engine, of.id, actor=actor) as connection:
            approve_version(connection, of.id, version, actor, None)

    def serves(self, tenant: Tenant | None = None) -> int:
        self.follower.refresh()
        of = tenant or self.tenant
        champion = anyio.run(self.follower.assignment, of.id, PAYSIM).champion
        assert champion is not None
        assert champion.version is not None
        return champion.version.version

    def created_ms(self, number: int) -> int:
        found = self.mlflow.get_model_version(self.tenant.model_name, str(number))
        return int(found.creation_timestamp)

    def tag(self, number: int) -> str | None:
        version = self.mlflow.get_model_version(self.tenant.model_name, str(number))
        return version.tags.get(REFUSED_TAG)


@pytest.fixture
def process(
    engine: Engine, service_engine: Engine, mlflow_server: str, publish: Publish, tmp_path: Path
) -> Process:
    """A process whose tenant has version 1 in production."""

    def start(uri: str = mlflow_server) -> AliasFollower:
        refused = RefusalRecorder(service_engine)
        store = ModelStore(open_registry(uri), tmp_path / "m", on_refusal=refused.add)
        recorder = DeploymentRecorder(service_engine, store)
        settings = TenantSettings(service_engine)
        return AliasFollower(store, recorder, settings, refused, poll_seconds=60)

    process = Process(engine, service_engine, start, MlflowClient(mlflow_server), publish)
    process.publish()
    assert process.serves() == 1
    return process


def test_an_unapproved_version_is_refused_until_somebody_approves_it(
    process: Process, rows: Rows
) -> None:
    process.four_eyes()
    process.publish()
    for _ in range(2):
        assert process.serves() == 1, "the version before stays"
    name = process.tenant.model_name
    assert process.follower.faults == {name: f"version 2 is refused for tenant bank: {WAITS}"}
    assert process.tag(2) == WAITS
    (refusal,) = list_refusals(process.engine, process.tenant.id, 10)
    assert (refusal.version, refusal.reason, refusal.awaits_approval) == (2, WAITS, True)
    audited = rows("SELECT object FROM audit_log WHERE action = 'refusal.created'")
    assert [entry["object"] for entry in audited] == [f"models/{name}/2"]

    process.approve(2)
    assert process.serves() == 2
    assert process.follower.faults == {}
    assert process.tag(2) is None
    assert list_refusals(process.engine, process.tenant.id, 10) == []
    (entry,) = rows("SELECT actor, via, object FROM audit_log WHERE action = 'approval.created'")
    assert entry == {"actor": "ruth", "via": "key abc", "object": f"models/{name}/2"}


def test_the_version_in_production_goes_on_when_the_tenant_begins_to_ask(process: Process) -> None:
    process.four_eyes()
    assert process.serves() == 1
    process.follower = process.start()
    assert process.serves() == 1
    assert process.follower.faults == {}
    assert process.tag(1) is None


def test_a_process_that_starts_while_a_version_waits_serves_the_one_before(
    process: Process,
) -> None:
    process.four_eyes()
    process.publish()
    assert process.serves() == 1
    process.follower = process.start()
    assert process.serves() == 1
    process.approve(2)
    assert process.serves() == 2
    assert process.tag(2) is None, "although another process wrote it"


def test_a_tenant_without_a_version_before_is_told_what_it_waits_for(
    process: Process, publish: Publish, engine: Engine
) -> None:
    new = create_tenant(engine, "new", f"fraud-new-{uuid4().hex[:6]}")
    set_four_eyes(engine, "new", True)
    publish(new.model_name)
    with pytest.raises(NoModel, match=r"does not serve yet\. A second person has to approve it"):
        process.serves(new)
    process.approve(1, tenant=new)
    assert process.serves(new) == 1


def test_a_version_that_was_approved_before_it_is_promoted_serves_at_once(
    process: Process,
) -> None:
    process.four_eyes()
    process.publish("candidate")
    process.approve(2)
    process.mlflow.set_registered_model_alias(process.tenant.model_name, "production", "2")
    assert process.serves() == 2
    assert process.tag(2) is None


def test_who_promotes_a_version_is_not_its_second_person(process: Process) -> None:
    process.four_eyes()
    process.publish("candidate")
    process.approve(2, by="anna")
    version = open_registry(process.mlflow.tracking_uri).find(process.tenant.model_name, 2)
    assert version is not None
    promote(process.mlflow, version, Promotion("Anna", "python -m training promote", "better"))
    assert process.serves() == 1
    reason = process.tag(2)
    assert reason is not None
    assert "since Anna promoted and approved it" in reason
    process.approve(2, by="ruth")
    assert process.serves() == 2


def test_an_unapproved_challenger_stays_in_shadow(process: Process) -> None:
    process.four_eyes()
    process.publish("challenger")
    name = process.tenant.model_name
    process.mlflow.set_model_version_tag(name, "2", CANARY_TAG, "25")

    def share() -> float:
        assert process.serves() == 1
        return anyio.run(
            process.follower.assignment, process.tenant.id, PAYSIM
        ).deployment.canary_percent

    assert share() == 0
    assert process.follower.challengers() == {name: 2}
    assert process.tag(2) == WAITS
    process.approve(2)
    assert share() == 25
    assert process.tag(2) is None


def test_a_challenger_without_a_canary_share_needs_no_approval(process: Process) -> None:
    process.four_eyes()
    process.publish("challenger")
    assert process.serves() == 1
    assert process.follower.challengers() == {process.tenant.model_name: 2}
    assert process.follower.faults == {}
    assert process.tag(2) is None


def test_a_tenant_that_no_longer_asks_is_served_by_the_promoted_version(
    process: Process,
) -> None:
    process.four_eyes()
    process.publish()
    assert process.serves() == 1
    process.four_eyes(False)
    assert process.serves() == 2
    assert process.tag(2) is None
    assert list_refusals(process.engine, process.tenant.id, 10) == []


def test_an_approval_of_another_tenant_does_not_count(process: Process, engine: Engine) -> None:
    other = create_tenant(engine, "other", process.tenant.model_name)
    assert process.serves(other) == 1
    process.four_eyes()
    set_four_eyes(engine, "other", True)
    process.publish()
    process.approve(2, tenant=other)
    assert process.serves() == 1
    assert process.serves(other) == 2
    assert process.tag(2) == WAITS, "it still waits for one of them"


def test_an_approval_is_of_the_registration_not_of_the_number(process: Process) -> None:
    process.four_eyes()
    stale = ApprovedVersion(process.tenant.model_name, 2, int(datetime.now(UTC).timestamp()))
    actor = Actor("ruth", None)
    with tenant_transaction(process.engine, process.tenant.id, actor=actor) as connection:
        approve_version(connection, process.tenant.id, stale, actor, None)
    process.publish()
    assert process.serves() == 1


def test_another_registration_under_the_number_in_production_waits_also_after_a_restart(
    process: Process,
) -> None:
    process.four_eyes()
    assert process.serves() == 1
    process.mlflow.delete_registered_model(process.tenant.model_name)
    assert process.publish() == 1
    assert process.serves() == 1, "the one that was loaded before"
    waits = "A second person has to approve it: POST /models/1/approve."
    assert process.tag(1) == waits
    process.follower = process.start()
    with pytest.raises(NoModel, match="has to approve it"):
        process.serves()
    process.approve(1)
    assert process.serves() == 1
    assert process.tag(1) is None


def test_a_process_that_starts_without_mlflow_while_a_version_waits_serves_the_one_before(
    process: Process, free_port: Callable[[], int]
) -> None:
    process.four_eyes()
    process.publish()
    assert process.serves() == 1
    process.follower = process.start(f"http://127.0.0.1:{free_port()}")
    assert process.serves() == 1


def test_a_version_that_waited_and_then_fails_is_refused_for_that(process: Process) -> None:
    process.four_eyes()
    process.publish()
    assert process.serves() == 1
    tenant, created = process.tenant, process.created_ms(2)
    process.approve(2)
    record_refusal(process.service_engine, tenant.id, tenant.model_name, 2, created, "no file")
    (refusal,) = list_refusals(process.engine, tenant.id, 10)
    assert (refusal.reason, refusal.awaits_approval) == ("no file", False)
    record_refusal(process.service_engine, tenant.id, tenant.model_name, 2, created, "other")
    assert list_refusals(process.engine, tenant.id, 10) == [refusal], "the first failure stays"
