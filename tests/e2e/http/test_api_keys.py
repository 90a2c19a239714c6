"""A revoked or expired API key is refused within seconds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from persistence.api_keys import issue_key, key_prefix, revoke_key
from persistence.tenants import find_tenant
from tests.support.factories import a_body
from tests.support.stack import KEY_SECRET
from tests.support.system import System

FELT_WITHIN_S = 5


@pytest.fixture(scope="module")
def system(shared_system: System) -> System:
    """The service that several modules share."""
    return shared_system


def test_a_revoked_key_is_401_within_seconds(system: System) -> None:
    tenant = find_tenant(system.engine, "demo")
    key = issue_key(system.engine, tenant.id, ("score",), KEY_SECRET)
    assert system.service.post("/score", a_body(), key).status_code == 200
    revoke_key(system.engine, tenant.id, key_prefix(key) or "")
    system.service.child.wait_until(
        lambda: system.service.post("/score", a_body(), key).status_code == 401, FELT_WITHIN_S
    )
    assert system.score(a_body()).status_code == 200


def test_a_key_is_401_after_its_expiry(system: System) -> None:
    tenant = find_tenant(system.engine, "demo")
    ends = datetime.now(UTC) + timedelta(seconds=2)
    key = issue_key(system.engine, tenant.id, ("score",), KEY_SECRET, ends)
    assert system.service.post("/score", a_body(), key).status_code == 200
    system.service.child.wait_until(
        lambda: system.service.post("/score", a_body(), key).status_code == 401, FELT_WITHIN_S
    )


def test_the_last_use_of_a_key_is_stored(system: System) -> None:
    assert system.score(a_body()).status_code == 200
    (row,) = system.rows(
        "SELECT last_used_at FROM api_keys WHERE prefix = :p", p=key_prefix(system.key)
    )
    assert datetime.now(UTC) - row["last_used_at"] < timedelta(minutes=2)
