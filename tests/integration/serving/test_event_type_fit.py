"""A version that does not fit the tenant's event type never serves it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import anyio
import pytest
from sqlalchemy import Engine

from persistence.actor import Actor
from persistence.circuit import Circuit
from persistence.deployments.refusals import list_refusals
from persistence.engine import open_database
from persistence.event_types import apply_event_type
from persistence.tenancy import SERVICE_ROLE, tenant_transaction
from persistence.tenants import Tenant, create_tenant
from registry.client.factory import open_registry
from registry.store.model_store import ModelStore
from scoring.errors import NoModel
from scoring.event_type.fields import EventType
from scoring.transaction import PAYSIM
from serving.deployment.alias_follower import AliasFollower
from serving.deployment.recorder import DeploymentRecorder, RefusalRecorder
from serving.deployment.tenant_settings import TenantSettings
from serving.health import StoreChecks, report
from tests.support.event_types import an_event_type
from tests.support.factories import a_model
from tests.support.fixture_types import Rows
from tests.support.own_models import STATELESS, a_model_of, features_of
from tests.support.stack import Publish

CARDS = an_event_type()
WITH_SHOP = an_event_type(SHOP={"kind": "category", "optional": True})
OF_CARDS = a_model_of(features_of(STATELESS))
OF_SHOPS = a_model_of(features_of({**STATELESS, "no_shop": "is_missing(SHOP)"}, WITH_SHOP))
NEEDS_SHOP = "The model needs the field SHOP, which the event type card_payment lacks."
NEEDS_CHANNEL = "The model needs the field CHANNEL, which the event type paysim lacks."


@pytest.fixture
def start(
    service_engine: Engine, mlflow_server: str, tmp_path: Path
) -> Callable[[], AliasFollower]:
    """A factory of followers, as one process after another, which read only on `refresh`."""

    def make() -> AliasFollower:
        refused = RefusalRecorder(service_engine)
        store = ModelStore(open_registry(mlflow_server), tmp_path / "m", on_refusal=refused.add)
        recorder = DeploymentRecorder(service_engine, store)
        settings = TenantSettings(service_engine)
        return AliasFollower(store, recorder, settings, refused, poll_seconds=60)

    return make


@pytest.fixture
def follower(start: Callable[[], AliasFollower]) -> AliasFollower:
    """A follower of one process."""
    return start()


@pytest.fixture
def tenant(engine: Engine) -> Tenant:
    """A tenant with a registered model of its own."""
    return create_tenant(engine, "shop", f"fraud-shop-{uuid4().hex[:6]}")


@pytest.fixture
def put_in_force(engine: Engine) -> Callable[..., None]:
    """A function that puts an event type of a tenant in force."""

    def put(tenant: Tenant, event_type: EventType) -> None:
        actor = Actor("someone", "tests")
        with tenant_transaction(engine, tenant.id, actor=actor) as connection:
            apply_event_type(connection, tenant.id, event_type, actor, replace=True)

    return put


PutInForce = Callable[[Tenant, EventType], None]


def serves(follower: AliasFollower, tenant: Tenant, event_type: EventType) -> int:
    """The version that decides a request."""
    assignment = anyio.run(follower.assignment, tenant.id, event_type)
    assert assignment.champion is not None
    assert assignment.champion.version is not None
    return assignment.champion.version.version


def refusal(follower: AliasFollower, tenant: Tenant, event_type: EventType) -> str:
    """The sentence with which a request is refused."""
    with pytest.raises(NoModel) as caught:
        anyio.run(follower.assignment, tenant.id, event_type)
    return caught.value.detail


def test_a_version_that_needs_a_field_which_the_event_type_lacks_is_refused(
    engine: Engine, follower: AliasFollower, tenant: Tenant, publish: Publish,
    put_in_force: PutInForce, rows: Rows,
) -> None:  # fmt: skip
    put_in_force(tenant, CARDS)
    publish(tenant.model_name, OF_CARDS)
    follower.refresh()
    publish(tenant.model_name, OF_SHOPS)
    for _ in range(2):
        follower.refresh()
    assert serves(follower, tenant, CARDS) == 1, "the version before stays"
    assert follower.in_use() == {tenant.model_name: 1}
    fault = f"version 2 is refused for tenant shop: {NEEDS_SHOP}"
    assert follower.faults == {tenant.model_name: fault}
    assert (
        json.loads(bytes(report(StoreChecks(engine, Circuit(), None), follower).body))["faults"]
        == follower.faults
    )
    (refused,) = list_refusals(engine, tenant.id, 10)
    assert (refused.version, refused.reason) == (2, NEEDS_SHOP)
    audited = rows("SELECT count(*) FROM audit_log WHERE action = 'refusal.created'")
    assert audited[0]["count"] == 1


def test_it_serves_once_the_event_type_has_the_field(
    follower: AliasFollower, tenant: Tenant, publish: Publish, put_in_force: PutInForce
) -> None:
    put_in_force(tenant, CARDS)
    publish(tenant.model_name, OF_SHOPS)
    follower.refresh()
    assert refusal(follower, tenant, CARDS) == NEEDS_SHOP
    put_in_force(tenant, WITH_SHOP)
    follower.refresh()
    assert serves(follower, tenant, WITH_SHOP) == 1
    assert follower.faults == {}


def test_a_process_that_starts_later_serves_the_version_before(
    start: Callable[[], AliasFollower], tenant: Tenant, publish: Publish, put_in_force: PutInForce
) -> None:
    put_in_force(tenant, CARDS)
    publish(tenant.model_name, OF_CARDS)
    start().refresh()
    publish(tenant.model_name, OF_SHOPS)
    follower = start()
    for _ in range(2):
        follower.refresh()
    assert serves(follower, tenant, CARDS) == 1
    assert list(follower.faults) == [tenant.model_name]


def test_a_tenant_of_paysim_keeps_its_version_when_one_of_another_event_type_is_promoted(
    follower: AliasFollower, tenant: Tenant, publish: Publish
) -> None:
    publish(tenant.model_name)
    follower.refresh()
    publish(tenant.model_name, OF_CARDS)
    follower.refresh()
    assert serves(follower, tenant, PAYSIM) == 1
    assert NEEDS_CHANNEL in follower.faults[tenant.model_name]


def test_an_event_type_without_a_production_version_that_fits(
    follower: AliasFollower, tenant: Tenant, publish: Publish, put_in_force: PutInForce
) -> None:
    publish(tenant.model_name)
    follower.refresh()
    put_in_force(tenant, CARDS)
    sentence = "The model needs the field amount, which the event type card_payment lacks."
    assert refusal(follower, tenant, CARDS) == sentence, "before the next poll"
    for _ in range(2):
        follower.refresh()
        assert refusal(follower, tenant, CARDS) == sentence
    assert follower.in_use() == {}
    assert follower.has_model() == {"shop": False}
    publish(tenant.model_name, OF_CARDS)
    follower.refresh()
    assert serves(follower, tenant, CARDS) == 2


def test_an_event_type_without_any_version_says_to_promote_one(
    follower: AliasFollower, tenant: Tenant, put_in_force: PutInForce
) -> None:
    put_in_force(tenant, CARDS)
    follower.refresh()
    assert "promote one" in refusal(follower, tenant, CARDS)
    assert follower.faults == {}


def test_a_challenger_that_does_not_fit_is_refused_and_the_champion_decides(
    engine: Engine, follower: AliasFollower, tenant: Tenant, publish: Publish,
    put_in_force: PutInForce,
) -> None:  # fmt: skip
    put_in_force(tenant, CARDS)
    publish(tenant.model_name, OF_CARDS)
    publish(tenant.model_name, OF_SHOPS, alias="challenger")
    follower.refresh()
    assert serves(follower, tenant, CARDS) == 1
    assert follower.challengers() == {}
    assert [r.version for r in list_refusals(engine, tenant.id, 10)] == [2]


def test_tenants_of_one_registered_model_are_compared_each_by_itself(
    engine: Engine, follower: AliasFollower, tenant: Tenant, publish: Publish,
    put_in_force: PutInForce,
) -> None:  # fmt: skip
    other = create_tenant(engine, "other", tenant.model_name)
    put_in_force(tenant, CARDS)
    put_in_force(other, WITH_SHOP)
    publish(tenant.model_name, OF_CARDS)
    follower.refresh()
    publish(tenant.model_name, OF_SHOPS)
    follower.refresh()
    assert serves(follower, tenant, CARDS) == 1
    assert serves(follower, other, WITH_SHOP) == 2
    assert list_refusals(engine, other.id, 10) == []


def test_an_incompatible_event_type_leaves_a_tenant_in_test_mode_its_fixed_tests(
    engine: Engine, follower: AliasFollower, publish: Publish
) -> None:
    tenant = create_tenant(engine, "trial", f"fraud-trial-{uuid4().hex[:6]}", is_test=True)
    publish(tenant.model_name, a_model())
    follower.refresh()
    assignment = anyio.run(follower.assignment, tenant.id, CARDS)
    assert assignment.champion is None
    assert assignment.misfit is not None


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        (
            {"TX_AMOUNT": {"kind": "integer"}},
            "The model needs the field TX_AMOUNT as number; the event type card_payment has it as"
            " integer.",
        ),
        (
            {"CHANNEL": {"kind": "category", "values": ["web", "pos", "atm"]}},
            "The values of the field CHANNEL have another order in the event type card_payment"
            " than in the model's training.",
        ),
    ],
)
def test_a_field_that_means_something_else_is_named(
    follower: AliasFollower, tenant: Tenant, publish: Publish, put_in_force: PutInForce,
    changed: dict[str, dict[str, object]], sentence: str,
) -> None:  # fmt: skip
    put_in_force(tenant, CARDS)
    publish(tenant.model_name, OF_CARDS)
    follower.refresh()
    other = an_event_type(**changed)
    put_in_force(tenant, other)
    assert refusal(follower, tenant, other) == sentence
    follower.refresh()
    assert refusal(follower, tenant, other) == sentence


@pytest.fixture
def service_engine(database: str) -> Iterator[Engine]:
    """A pool with the service's role and short time-outs."""
    engine = open_database(database, role=SERVICE_ROLE, statement_timeout_s=5)
    yield engine
    engine.dispose()
