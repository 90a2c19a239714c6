"""A change of the policy: one transaction, in which no other change of it takes part."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pytest
from sqlalchemy import Engine, event

from api.models import effective_policy
from api.models.effective_policy import TenantDeployment, change_policy, read_deployment
from api.models.policy_change import changed_policy
from persistence.actor import Actor
from persistence.policies import current_policy, lock_policies
from persistence.tenancy import tenant_transaction
from persistence.tenants import Tenant
from scoring.errors import InvalidRequest
from scoring.policy import CostModel, Policy
from tests.support.management_api import ACTOR, send

MakeTenant = Callable[..., Tenant]
Rows = Callable[..., list[dict[str, Any]]]

COSTS = {"missed_fraud": 70.0, "false_alarm": 7.0}
CHANGES: tuple[dict[str, Any], ...] = ({"threshold": 0.3, "cost_model": COSTS}, {"high_from": 0.9})


def change(
    engine: Engine,
    tenant_id: int,
    to: Callable[[TenantDeployment], Policy | None],
    actor: str,
) -> TenantDeployment:
    """Change a tenant's policy in a transaction of its own."""
    with tenant_transaction(engine, tenant_id, actor=actor) as connection:
        return change_policy(connection, tenant_id, to, actor)


def _change_at_once(engine: Engine, tenant_id: int) -> Policy:
    """Make both CHANGES in two threads, each waiting for the other to read what is in force."""
    both_have_read = threading.Barrier(2)

    def make(changes: dict[str, Any]) -> None:
        def apply(deployment: TenantDeployment) -> Policy:
            with suppress(threading.BrokenBarrierError):
                both_have_read.wait(0.5)
            return changed_policy(deployment.effective_policy().policy, changes)

        change(engine, tenant_id, apply, Actor(ACTOR))

    with ThreadPoolExecutor(2) as threads:
        list(threads.map(make, CHANGES))
    return read_deployment(engine, tenant_id).effective_policy().policy


def test_two_changes_of_different_numbers_at_once_both_count(
    service_engine: Engine, make_tenant: MakeTenant, rows: Rows
) -> None:
    policy = _change_at_once(service_engine, make_tenant().id)
    assert policy == Policy(CostModel(70.0, 0.0, 7.0), threshold=0.3, high_from=0.9)
    first, second = rows("SELECT before, after FROM audit_log WHERE action = 'policy.created'")
    assert second["before"] == first["after"]


def test_without_the_lock_one_of_them_would_be_lost(
    service_engine: Engine, make_tenant: MakeTenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(effective_policy, "lock_policies", lambda *_: None)
    policy = _change_at_once(service_engine, make_tenant().id)
    assert (policy.threshold == 0.3) is not (policy.high_from == 0.9)


def test_a_change_does_not_wait_for_another_tenants(
    service_engine: Engine, make_tenant: MakeTenant
) -> None:
    mine, other = make_tenant("mine"), make_tenant("other")
    with tenant_transaction(service_engine, other.id) as connection:
        lock_policies(connection, other.id)
        changed = change(service_engine, mine.id, lambda _: Policy.at(0.2, CostModel()), Actor("a"))
    assert changed.own_policy == Policy.at(0.2, CostModel())


def test_a_change_that_fails_stores_nothing_and_holds_nothing(
    service_engine: Engine, make_tenant: MakeTenant
) -> None:
    tenant = make_tenant()

    def fail(_: TenantDeployment) -> Policy:
        raise InvalidRequest("It cannot be.")

    with pytest.raises(InvalidRequest):
        change(service_engine, tenant.id, fail, Actor(ACTOR))
    assert current_policy(service_engine, tenant.id) is None
    change(service_engine, tenant.id, lambda _: Policy.at(0.2, CostModel()), Actor(ACTOR))
    assert current_policy(service_engine, tenant.id) is not None


@pytest.mark.parametrize(
    ("method", "body"), [("PUT", {"threshold": 0.2}), ("PUT", {"threshold": 0.1}), ("DELETE", None)]
)
def test_a_request_is_one_transaction_and_in_force_here_before_its_reply(
    service_engine: Engine, make_tenant: MakeTenant, method: str, body: Any
) -> None:
    tenant = make_tenant()
    policy = Policy.at(0.1, CostModel())
    change(service_engine, tenant.id, lambda _: policy, Actor(ACTOR))
    begun: list[object] = []
    event.listen(service_engine, "begin", begun.append)
    refreshed: list[tuple[int, int]] = []
    (reply,) = send(
        service_engine,
        [(tenant.id, method, "/policy", body)],
        lambda tenant_id: refreshed.append((tenant_id, len(begun))),
    )
    assert reply.status_code == 200
    assert len(begun) == 1
    assert refreshed == [(tenant.id, 1)], "after the commit"


def test_a_change_to_what_is_in_force_already_stores_nothing(
    service_engine: Engine, make_tenant: MakeTenant, rows: Rows
) -> None:
    tenant = make_tenant()
    requests: list[tuple[int, str, str, Any]] = [
        (tenant.id, "DELETE", "/policy", None),
        (tenant.id, "PUT", "/policy", {"threshold": 0.2}),
        (tenant.id, "PUT", "/policy", {"threshold": 0.2}),
        (tenant.id, "DELETE", "/policy", None),
        (tenant.id, "DELETE", "/policy", None),
    ]
    replies = send(service_engine, requests)
    assert replies[1].content == replies[2].content
    assert replies[3].content == replies[4].content
    assert rows("SELECT count(*) FROM policies") == [{"count": 2}]
