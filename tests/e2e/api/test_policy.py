"""PUT and DELETE /policy apply to new decisions at once and leave stored ones unchanged."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from persistence.api_keys import issue_key
from persistence.tenants import create_tenant, find_tenant
from tests.support.data.review import POLICY
from tests.support.factories import a_body, a_model
from tests.support.review_client import Analyst, refused
from tests.support.stack import KEY_SECRET
from tests.support.system import ServeBeside, System

COSTS = {
    "missed_fraud": 1000.0,
    "missed_fraud_share": 0.0,
    "false_alarm": 5.0,
    "false_decline": None,
}


@pytest.fixture(scope="module")
def system(shared_system: System) -> System:
    """The service that several modules share."""
    return shared_system


@pytest.fixture
def admin(system: System) -> Analyst:
    """An administrator of the tenant whose model really decides; no policy is left behind."""
    admin = Analyst(system, find_tenant(system.engine, "demo"), "review", "admin", "score")
    assert admin.withdraw_policy().status_code == 200
    return admin


def test_a_new_threshold_decides_the_next_transaction_and_leaves_the_stored_ones(
    system: System, admin: Analyst
) -> None:
    before = system.score(a_body(external_id="before")).json()
    flagged = before["decision"] == "review"
    threshold = 0.999 if flagged else before["score"] / 2
    case = admin.get(f"/transactions/{before['transaction_id']}").json()
    response = admin.put_policy(threshold=threshold)
    assert response.status_code == 200
    after = system.score(a_body()).json()
    assert after["score"] == before["score"]
    assert (after["decision"] == "review") is not flagged
    assert after["threshold"] == threshold == response.json()["threshold"]

    again = system.score(a_body(external_id="before")).json()
    assert {**again, "latency_ms": 0} == {**before, "latency_ms": 0}
    assert admin.get(f"/transactions/{before['transaction_id']}").json() == case
    explained = system.service.post(
        "/explain", {"prediction_id": before["prediction_id"]}, system.review_key
    ).json()
    assert explained["threshold"] == before["threshold"]
    assert explained["decision"] == before["decision"]
    waiting = {item["transaction_id"] for item in admin.walk("/queue")}
    assert (before["transaction_id"] in waiting) is flagged
    assert (after["transaction_id"] in waiting) is not flagged
    (stored,) = system.rows(
        "SELECT policy_id FROM predictions WHERE id = :id", id=after["prediction_id"]
    )
    assert stored["policy_id"] == response.json()["id"]


def test_batch_scores_and_explanations_use_the_new_policy(system: System, admin: Analyst) -> None:
    admin.put_policy(threshold=0.001, high_from=0.002)
    bulk = system.service.post(
        "/score/batch", {"transactions": [a_body(), a_body()]}, system.key
    ).json()
    assert {row["threshold"] for row in bulk["results"]} == {0.001}
    assert {row["risk_band"] for row in bulk["results"]} == {"high"}
    explained = system.service.post("/explain", {"transaction": a_body()}, system.key).json()
    assert explained["threshold"] == 0.001


def test_a_share_of_the_would_be_reviews_is_approved_at_random_and_a_retry_changes_nothing(
    system: System, admin: Analyst
) -> None:
    explore = {"share": 0.1, "max_amount": 200_000.0}
    assert admin.put_policy(threshold=1e-6, explore=explore).json()["explore"] == explore
    batch = {"transactions": [a_body(external_id=f"explored-{i}") for i in range(1000)]}
    first = system.service.post("/score/batch", batch, system.key).json()["results"]
    assert {one["approval_probability"] for one in first} == {0.1}
    approved = [one for one in first if one["decision"] == "approve"]
    assert 50 < len(approved) < 160
    again = system.service.post("/score/batch", batch, system.key).json()["results"]
    assert [one["decision"] for one in again] == [one["decision"] for one in first]
    alone = system.score(a_body(external_id="explored-0")).json()
    assert {**alone, "latency_ms": 0} == {**first[0], "latency_ms": 0}

    shown = approved[0]
    explained = system.service.post(
        "/explain", {"prediction_id": shown["prediction_id"]}, system.review_key
    ).json()
    assert (explained["decision"], explained["approval_probability"]) == ("approve", 0.1)
    case = admin.get(f"/transactions/{shown['transaction_id']}").json()
    assert case["prediction"]["approval_probability"] == 0.1
    waiting = {item["transaction_id"] for item in admin.walk("/queue")}
    reviewed = {one["transaction_id"] for one in first if one["decision"] == "review"}
    assert reviewed <= waiting
    assert not {one["transaction_id"] for one in approved} & waiting

    larger = system.score(a_body(amount=200_000.01)).json()
    assert (larger["decision"], "approval_probability" in larger) == ("review", False)
    unstored = system.service.post("/explain", {"transaction": a_body()}, system.key).json()
    assert (unstored["decision"], "approval_probability" in unstored) == ("review", False)
    assert admin.put_policy(explore=None).json()["explore"] is None
    plain = system.score(a_body()).json()
    assert (plain["decision"], "approval_probability" in plain) == ("review", False)


def test_withdrawing_a_policy_restores_the_policy_of_the_version(
    system: System, admin: Analyst
) -> None:
    own = admin.get("/policy").json()
    assert (own["source"], own["id"], own["threshold"]) == ("model", None, 0.05)
    set_ = admin.put_policy(threshold=0.2).json()
    assert (set_["source"], set_["threshold"]) == ("tenant", 0.2)
    assert set_["actor"] == admin.key.split("_")[1]
    assert set_["version_policy"]["threshold"] == 0.05
    assert admin.get("/policy").json() == set_
    withdrawn = admin.withdraw_policy().json()
    numbers = ("threshold", "high_from", "cost_model", "source", "id")
    assert [withdrawn[name] for name in numbers] == [own[name] for name in numbers]
    assert withdrawn["actor"] == admin.key.split("_")[1]
    assert withdrawn["since"] > set_["since"]
    assert system.score(a_body()).json()["threshold"] == 0.05


def test_a_promotion_does_not_withdraw_the_tenants_policy(system: System) -> None:
    tenant = create_tenant(system.engine, "promoting", "fraud-promoting")
    admin = Analyst(system, tenant, "score", "review", "admin")

    def score() -> Any:
        return system.service.post("/score", a_body(), admin.key)

    system.publish("fraud-promoting", a_model())
    system.service.child.wait_until(lambda: score().status_code == 200, 10)
    admin.put_policy(threshold=0.123)
    system.publish("fraud-promoting", a_model(seed=2, threshold=0.4))
    system.service.child.wait_until(lambda: score().json()["model"]["version"] == 2, 10)
    assert score().json()["threshold"] == 0.123
    reply = admin.get("/policy").json()
    assert (reply["source"], reply["threshold"]) == ("tenant", 0.123)
    assert reply["version_policy"]["model"] == {"name": "fraud-promoting", "version": 2}
    assert reply["version_policy"]["threshold"] == 0.4
    assert admin.withdraw_policy().json()["threshold"] == 0.4
    assert score().json()["threshold"] == 0.4


def test_another_process_applies_a_new_policy_before_its_next_poll(
    system: System, admin: Analyst, serve_beside: ServeBeside
) -> None:
    with serve_beside(SENTINEL_ALIAS_POLL_SECONDS="60") as other:

        def threshold() -> float:
            reply = other.post("/score", a_body(), system.key)
            return float(reply.json()["threshold"])

        for value in (0.11, 0.22):
            admin.put_policy(threshold=value)
            other.child.wait_until(lambda value=value: threshold() == value, 2)
        admin.withdraw_policy()
        other.child.wait_until(lambda: threshold() == POLICY.threshold, 2)


def test_the_audit_log_has_the_actor_and_the_numbers_before_and_after(analyst: Analyst) -> None:
    analyst.put_policy(threshold=0.1)
    analyst.put_policy(threshold=0.2)
    analyst.withdraw_policy()
    analyst.put_policy(threshold=0.3)
    entries = analyst.walk("/audit", action="policy.created")[::-1]
    assert {entry["actor"] for entry in entries} == {analyst.key.split("_")[1]}
    before = [entry["before"]["policy"]["threshold"] for entry in entries]
    after = [
        entry["after"]["policy"] and entry["after"]["policy"]["threshold"] for entry in entries
    ]
    assert before == [0.05, 0.1, 0.2, 0.05]
    assert after == [0.1, 0.2, None, 0.3]


def test_the_same_policy_again_and_a_withdrawal_of_none_change_nothing(analyst: Analyst) -> None:
    assert analyst.withdraw_policy().json()["source"] == "model"
    first = analyst.put_policy(threshold=0.1).json()
    assert analyst.put_policy(threshold=0.1).json() == first
    assert len(analyst.walk("/audit", action="policy.created")) == 1


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"high_from": 0.9}, {"threshold": 0.05, "high_from": 0.9, "cost_model": COSTS}),
        ({"threshold": 0.7}, {"threshold": 0.7, "high_from": 0.7, "cost_model": COSTS}),
        (
            {"cost_model": {"missed_fraud": 95}},
            {"threshold": 0.05, "high_from": 0.5, "cost_model": COSTS | {"missed_fraud": 95.0}},
        ),
        (
            {"cost_model": {"missed_fraud_share": 1}, "threshold": 0.02},
            {"threshold": 0.02, "high_from": 0.5, "cost_model": COSTS | {"missed_fraud_share": 1}},
        ),
    ],
)
def test_omitted_fields_stay_and_flat_costs_alone_set_the_threshold(
    analyst: Analyst, change: dict[str, Any], expected: dict[str, Any]
) -> None:
    response = analyst.put_policy(**change)
    assert response.status_code == 200, response.text
    assert {name: response.json()[name] for name in expected} == expected


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({}, "body"),
        ({"surprise": 1}, "surprise"),
        ({"threshold": 0}, "threshold"),
        ({"threshold": 1}, "threshold"),
        ({"threshold": None}, "threshold"),
        ({"threshold": "0.5"}, "threshold"),
        ({"high_from": 1}, "high_from"),
        ({"high_from": 0.01}, "high_from"),
        ({"threshold": 0.6, "high_from": 0.5}, "high_from"),
        ({"cost_model": None}, "cost_model"),
        ({"explore": {"share": 0.02}}, "explore.max_amount"),
        ({"explore": {"share": 0.2, "max_amount": 100}}, "explore.share"),
        ({"cost_model": {}}, "cost_model"),
        ({"cost_model": {"surprise": 1}}, "cost_model.surprise"),
        ({"cost_model": {"missed_fraud": -1}}, "cost_model.missed_fraud"),
        ({"cost_model": {"missed_fraud": 0}}, "cost_model.missed_fraud"),
        ({"cost_model": {"false_alarm": 0}}, "cost_model.false_alarm"),
        ({"cost_model": {"false_alarm": "5"}}, "cost_model.false_alarm"),
        ({"cost_model": {"missed_fraud_share": 1}}, "threshold"),
        ({"cost_model": {"missed_fraud": 1e-30, "false_alarm": 1e12}}, "cost_model"),
    ],
)
def test_an_invalid_policy_is_422_with_its_field_and_changes_nothing(
    analyst: Analyst, change: dict[str, Any], field: str
) -> None:
    before = analyst.get("/policy").json()
    refused(analyst.put_policy(**change), 422, field)
    assert analyst.get("/policy").json() == before
    assert not analyst.walk("/audit", action="policy.created")


def test_numbers_outside_json_and_broken_bodies_are_422(analyst: Analyst) -> None:
    client = analyst.system.service.client
    for body in (b'{"threshold": NaN}', b'{"threshold": 1e999}', b"{", b"[]", b"null"):
        refused_ = client.put("/policy", content=body, headers=analyst.headers)
        assert refused_.status_code == 422, body
    refused(client.put("/policy", content=b"x" * 100_000, headers=analyst.headers), 413)
    refused(
        client.put("/policy?dry_run=1", json={"threshold": 0.1}, headers=analyst.headers),
        422,
        "dry_run",
    )


def test_reviewers_read_the_policy_and_administrators_change_it(
    hire: Callable[..., Analyst],
) -> None:
    reviewer, administrator, scorer = hire("review"), hire("admin"), hire("score")
    assert reviewer.get("/policy").json()["threshold"] == POLICY.threshold
    refused(reviewer.put_policy(threshold=0.1), 403)
    refused(reviewer.withdraw_policy(), 403)
    assert administrator.put_policy(threshold=0.1).status_code == 200
    refused(administrator.get("/policy"), 403)
    refused(scorer.get("/policy"), 403)
    refused(scorer.put_policy(threshold=0.1), 403)


def test_without_a_production_version_there_is_no_policy_to_change(system: System) -> None:
    tenant = create_tenant(system.engine, "modelless", "fraud-modelless")
    key = issue_key(system.engine, tenant.id, ("review", "admin"), KEY_SECRET)
    headers = {"Authorization": f"Bearer {key}"}
    for method, body in (("GET", None), ("PUT", {"threshold": 0.1}), ("DELETE", None)):
        reply = system.service.client.request(method, "/policy", json=body, headers=headers)
        assert refused(reply, 503)["type"].endswith("no-production-model")
