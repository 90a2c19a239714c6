"""Fixed test transactions have fixed decisions for tenants in test mode, and for no others."""

from __future__ import annotations

from typing import Any

import pytest

from persistence.api_keys import issue_key
from persistence.tenants import create_tenant, set_test_mode
from tests.support.factories import a_body, a_model
from tests.support.stack import KEY_SECRET
from tests.support.system import System

EXPECTED = {
    "TEST-APPROVE": ("approve", "low"),
    "TEST-REVIEW": ("review", "medium"),
    "TEST-HIGH": ("review", "high"),
}


@pytest.fixture(scope="module")
def tester(system: System) -> str:
    """The key of a tenant in test mode without a model."""
    tenant = create_tenant(system.engine, "tester", "fraud-tester", is_test=True)
    key = issue_key(system.engine, tenant.id, ("score", "review", "admin"), KEY_SECRET)
    system.service.child.wait_until(
        lambda: system.service.post("/score", a_body(nameOrig="TEST-HIGH"), key).is_success, 10
    )
    return key


def outcome(reply: dict[str, Any]) -> tuple[str, str]:
    return reply["decision"], reply["risk_band"]


@pytest.mark.parametrize("name", EXPECTED)
@pytest.mark.parametrize("amount", [1.0, 1e9])
def test_a_fixed_test_transaction_is_decided_without_a_model(
    system: System, tester: str, name: str, amount: float
) -> None:
    body = a_body(nameOrig=name, amount=amount)
    reply = system.service.post("/score", body, tester).json()
    assert outcome(reply) == EXPECTED[name]
    assert reply["model"] == {"name": "sentinel-test", "version": 1}
    explained = system.service.post(
        "/explain", {"prediction_id": reply["prediction_id"]}, tester
    ).json()
    total = sum(feature["contribution"] for feature in explained["features"])
    assert explained["base_value"] + total == explained["margin"] == reply["margin"]
    (row,) = system.rows("SELECT * FROM predictions WHERE id = :id", id=reply["prediction_id"])
    assert (row["decision"], row["risk_band"]) == EXPECTED[name]
    at_once = system.service.post("/explain", {"transaction": body}, tester).json()
    assert at_once["margin"] == reply["margin"]


def test_a_batch_of_fixed_test_transactions_is_decided_in_order(
    system: System, tester: str
) -> None:
    body = {"transactions": [a_body(nameOrig=name) for name in EXPECTED]}
    reply = system.service.post("/score/batch", body, tester).json()
    assert [outcome(result) for result in reply["results"]] == list(EXPECTED.values())


def test_a_tenants_policy_does_not_change_fixed_test_transactions(
    system: System, tester: str
) -> None:
    # There is no version whose policy could be the base: all three numbers are given.
    client = system.service.client
    headers = {"Authorization": f"Bearer {tester}"}
    put = client.put("/policy", json={"threshold": 0.99, "high_from": 0.995}, headers=headers)
    reply = system.service.post("/score", a_body(nameOrig="TEST-REVIEW"), tester).json()
    assert outcome(reply) == EXPECTED["TEST-REVIEW"], put.text


def test_without_a_model_any_other_transaction_is_503_and_names_the_test_accounts(
    system: System, tester: str
) -> None:
    reply = system.service.post("/score", a_body(), tester)
    assert reply.status_code == 503
    assert all(name in reply.json()["detail"] for name in EXPECTED)
    mixed = {"transactions": [a_body(nameOrig="TEST-HIGH"), a_body()]}
    before = system.count("predictions")
    assert system.service.post("/score/batch", mixed, tester).status_code == 503
    assert system.count("predictions") == before


@pytest.mark.usefixtures("tester")
def test_a_live_tenants_model_scores_the_test_accounts(system: System) -> None:
    for name in EXPECTED:
        by_name = system.score(a_body(nameOrig=name)).json()
        by_other = system.score(a_body()).json()
        assert by_name["model"]["name"] == system.model
        assert by_name["margin"] == by_other["margin"]


def test_in_test_mode_the_model_scores_every_other_transaction(system: System, tester: str) -> None:
    version = system.publish("fraud-tester", a_model(seed=41))
    system.service.child.wait_until(
        lambda: system.service.post("/score", a_body(), tester).is_success, 10
    )
    other = system.service.post("/score", a_body(), tester).json()
    assert other["model"] == {"name": "fraud-tester", "version": version}
    fixed = system.service.post("/score", a_body(nameOrig="TEST-APPROVE"), tester).json()
    assert outcome(fixed) == EXPECTED["TEST-APPROVE"]


def test_after_a_switch_to_live_the_model_scores_the_test_accounts(
    system: System, tester: str
) -> None:
    set_test_mode(system.engine, "tester", False)
    name = "TEST-APPROVE"
    system.service.child.wait_until(
        lambda: (
            system.service.post("/score", a_body(nameOrig=name), tester).json()["model"]["name"]
            == "fraud-tester"
        ),
        10,
    )
    set_test_mode(system.engine, "tester", True)
    system.service.child.wait_until(
        lambda: (
            outcome(system.service.post("/score", a_body(nameOrig=name), tester).json())
            == EXPECTED[name]
        ),
        10,
    )
