"""A changed policy applies in every service process within a second."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from persistence.api_keys import issue_key
from persistence.tenants import find_tenant
from tests.support.factories import a_body, a_model
from tests.support.stack import KEY_SECRET, Service
from tests.support.system import ServeBeside, System

TOLD_WITHIN_S = 1.0


@pytest.fixture(scope="module")
def admin_key(system: System) -> str:
    tenant = find_tenant(system.engine, "demo")
    return issue_key(system.engine, tenant.id, ("admin", "review"), KEY_SECRET)


@pytest.fixture(scope="module")
def other(serve_beside: ServeBeside) -> Iterator[Service]:
    """A second process, which polls only once a minute."""
    with serve_beside(SENTINEL_ALIAS_POLL_SECONDS="60") as service:
        yield service


def put_policy(service: Service, key: str, **body: Any) -> httpx.Response:
    headers = {"Authorization": f"Bearer {key}"}
    return service.client.put("/policy", json=body, headers=headers)


def decided(service: Service, key: str) -> dict[str, Any]:
    reply = service.post("/score", a_body(), key)
    assert reply.status_code == 200
    body: dict[str, Any] = reply.json()
    return body


def until_threshold(service: Service, key: str, threshold: float, seconds: float) -> float:
    begun = time.monotonic()
    while decided(service, key)["threshold"] != threshold:
        assert time.monotonic() - begun < seconds, f"not at {threshold} after {seconds} s"
    return time.monotonic() - begun


def policy_ids(system: System, *prediction_ids: str) -> list[int | None]:
    stored = system.rows("SELECT id, policy_id FROM predictions")
    by_id = {str(row["id"]): row["policy_id"] for row in stored}
    return [by_id[prediction_id] for prediction_id in prediction_ids]


def test_a_policy_applies_at_once_in_its_process_and_within_a_second_in_another(
    system: System, other: Service, admin_key: str
) -> None:
    before = decided(system.service, system.key)
    assert put_policy(system.service, admin_key, threshold=0.9, high_from=0.95).is_success
    after = decided(system.service, system.key)
    assert (before["threshold"], after["threshold"]) == (0.05, 0.9)
    assert before["decision"] == "review"
    assert after["decision"] == "approve"
    assert before["score"] == after["score"]
    until_threshold(other, system.key, 0.9, TOLD_WITHIN_S)
    first, second = policy_ids(system, before["prediction_id"], after["prediction_id"])
    assert first is None
    assert second is not None


def test_a_stored_decision_keeps_its_threshold(
    system: System, other: Service, admin_key: str
) -> None:
    put_policy(system.service, admin_key, threshold=0.4)
    reply = decided(system.service, system.key)
    select = "SELECT * FROM predictions WHERE id = :id"
    before = system.rows(select, id=reply["prediction_id"])
    put_policy(other, admin_key, threshold=0.02)
    until_threshold(system.service, system.key, 0.02, TOLD_WITHIN_S)
    assert system.rows(select, id=reply["prediction_id"]) == before
    again = system.service.post("/explain", {"prediction_id": reply["prediction_id"]}, system.key)
    assert again.json()["threshold"] == 0.4


def test_a_promotion_keeps_the_tenants_policy_and_so_does_the_canary(
    system: System, admin_key: str
) -> None:
    put_policy(system.service, admin_key, threshold=0.123)
    version = system.publish(system.model, a_model(seed=51, threshold=0.3))
    system.service.child.wait_until(
        lambda: decided(system.service, system.key)["model"]["version"] == version, 10
    )
    assert decided(system.service, system.key)["threshold"] == 0.123
    challenger = system.publish(system.model, a_model(seed=52, threshold=0.2), alias="challenger")
    reply = decided(system.service, system.key)
    system.service.child.wait_until(lambda: _shadowed(system, challenger), 10)
    assert reply["threshold"] == 0.123
    shadow = system.rows("SELECT DISTINCT threshold FROM shadow_scores")
    assert [row["threshold"] for row in shadow] == [0.123]


def _shadowed(system: System, challenger: int) -> bool:
    decided(system.service, system.key)
    stored = system.rows(
        "SELECT count(*) FROM shadow_scores WHERE model_version = :v", v=challenger
    )
    return bool(stored[0]["count"])


def test_a_process_applies_a_policy_that_was_set_while_it_was_disconnected(
    system: System, other: Service, admin_key: str
) -> None:
    with system.engine.begin() as connection:
        cut = connection.execute(
            text(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
                " WHERE query LIKE 'LISTEN%' AND datname = current_database()"
            )
        ).scalar_one()
    assert cut == 2
    put_policy(system.service, admin_key, threshold=0.77, high_from=0.8)
    assert decided(system.service, system.key)["threshold"] == 0.77
    # It listens again after a second, and looks at what it missed.
    until_threshold(other, system.key, 0.77, 5)


def test_after_a_withdrawal_each_version_decides_by_its_own_policy(
    system: System, other: Service, admin_key: str
) -> None:
    headers = {"Authorization": f"Bearer {admin_key}"}
    assert other.client.delete("/policy", headers=headers).is_success
    reply = decided(other, system.key)
    assert policy_ids(system, reply["prediction_id"]) == [None]
    until_threshold(system.service, system.key, 0.3, TOLD_WITHIN_S)
