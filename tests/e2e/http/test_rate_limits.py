"""A tenant over its limit of payments a second is refused and leaves the others alone."""

from __future__ import annotations

import time

import pytest

from persistence.api_keys import issue_key
from persistence.tenants import Tenant, create_tenant, set_limits
from scoring.tenant import TenantLimits
from tests.support.factories import a_body
from tests.support.load import Load, exchange, score_request
from tests.support.stack import KEY_SECRET
from tests.support.system import System

PER_SECOND = 20


@pytest.fixture(scope="module")
def system(shared_system: System) -> System:
    return shared_system


@pytest.fixture(scope="module")
def limited(system: System) -> tuple[Tenant, str]:
    """A tenant with a limit that is in force, and its key."""
    tenant = create_tenant(system.engine, "limited", system.model)
    set_limits(system.engine, tenant.slug, TenantLimits(tenant=PER_SECOND))
    key = issue_key(system.engine, tenant.id, ("score",), KEY_SECRET)

    def is_in_force() -> bool:
        reply = system.service.post("/score", a_body(), key)
        return reply.is_success and "ratelimit" in reply.headers

    system.service.child.wait_until(is_in_force, 30)
    return tenant, key


def test_the_reply_names_the_limit_and_the_problem_says_which_is_reached(
    system: System, limited: tuple[Tenant, str]
) -> None:
    _, key = limited
    time.sleep(1)
    batch = {"transactions": [a_body() for _ in range(3 * PER_SECOND)]}
    taken = system.service.post("/score/batch", batch, key)
    assert taken.status_code == 200, taken.text
    assert taken.headers["ratelimit-policy"] == f'"tenant";q={PER_SECOND};w=1'
    assert taken.headers["ratelimit"].startswith('"tenant";r=0;t=')
    refused = system.service.post("/score", a_body(), key)
    assert refused.status_code == 429
    assert refused.headers["retry-after"] in {"2", "3"}
    assert refused.headers["ratelimit"] == f'"tenant";r=0;t={refused.headers["retry-after"]}'
    problem = refused.json()
    assert problem["type"] == "urn:sentinel:problem:rate-limited"
    assert "The tenant may send 20 payments a second" in problem["detail"]
    unlimited = system.score(a_body())
    assert unlimited.status_code == 200
    assert "ratelimit" not in unlimited.headers


def test_a_flood_of_one_tenant_leaves_another_s_payments_alone(
    system: System, limited: tuple[Tenant, str]
) -> None:
    tenant, key = limited
    counted = "SELECT count(*) FROM predictions WHERE tenant_id = :tenant"
    before = system.rows(counted, tenant=tenant.id)[0]["count"]
    began_s = time.monotonic()
    with Load(key, [system.service.url], clients=12) as flood:
        replies = exchange(
            system.service.url, [score_request(a_body(), system.key) for _ in range(200)], 4
        )
        time.sleep(max(0.0, began_s + 3 - time.monotonic()))
    seconds = time.monotonic() - began_s
    assert {reply.status for reply in replies} == {200}
    assert {reply.status for reply in flood.replies} == {200, 429}
    stored = system.rows(counted, tenant=tenant.id)[0]["count"] - before
    assert stored == len(flood.succeeded) <= (seconds + 1) * PER_SECOND + 1
