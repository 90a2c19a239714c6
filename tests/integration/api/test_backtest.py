"""POST /rules/backtest over PaySim's payments: figures, examples, and what it refuses."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from sqlalchemy import Engine

from persistence.decisions.rows import Decided
from persistence.decisions.shadow_scores import ShadowLog
from persistence.decisions.writer import DecisionLog
from persistence.deployments.recording import record_challenger
from persistence.labels.writer import NewLabel, store_labels
from persistence.tenancy import tenant_transaction
from persistence.tenants import Tenant
from scoring.prediction import ModelVersion
from tests.support.data.own_events import label, own_model
from tests.support.data.rules import ANALYST, put_list
from tests.support.data.shadow import a_shadow_score
from tests.support.factories import a_decision, decision_at
from tests.support.fixture_types import MakeTenant
from tests.support.management_api import Request, connected

DAYS_AGO = datetime.now(UTC) - timedelta(days=40)
TRIED = {"rule": {"condition": "amount > 500 and type == 'TRANSFER'", "action": "decline"}}


@pytest.fixture
def tenant(make_tenant: MakeTenant) -> Tenant:
    return make_tenant()


@pytest.fixture
def stored(service_engine: Engine, tenant: Tenant) -> list[Decided]:
    """Ten payments of 100 to 1,000 of 40 days ago; the four largest were frauds."""
    decided = [
        decision_at(
            a_decision(tenant.id, amount=100.0 * number, type="TRANSFER", name_orig=f"C{number}"),
            DAYS_AGO + timedelta(seconds=number),
        )
        for number in range(1, 11)
    ]
    assert DecisionLog(service_engine).write(decided) == decided
    for number, one in enumerate(decided):
        value = "fraud" if number >= 6 else "legitimate"
        label(service_engine, tenant.id, one.transaction_id, value, DAYS_AGO, source="chargeback")
    return decided


@pytest.fixture
def post(service_engine: Engine, tenant: Tenant) -> Iterator[Any]:
    def send(request: Request, body: Any) -> Any:
        return request(tenant.id, "POST", "/rules/backtest", body)

    with connected(service_engine) as request:
        yield lambda body: send(request, body)


@pytest.mark.usefixtures("stored")
def test_a_rule_has_its_fires_frauds_and_money(post: Any, stored: list[Decided]) -> None:
    reply = post(TRIED)
    assert reply.status_code == 200, reply.text
    found = reply.json()
    assert (found["decisions"], found["labelled"], found["frauds"]) == (10, 10, 4)
    firing = found["firing"]
    assert (firing["fires"], firing["frauds"]["value"], firing["honest"]["value"]) == (5, 4, 1)
    assert firing["precision"]["value"] == pytest.approx(0.8)
    assert firing["precision"]["low"] <= 0.8 <= firing["precision"]["high"]
    assert firing["overlap"] == [
        {"decider": "model", "id": 0, "outcome": "review", "payments": 5, "frauds": 4}
    ]
    assert found["changes"] == [[0, 0, 0], [0, 5, 5], [0, 0, 0]]
    assert found["fraud_changes"] == [[0, 0, 0], [0, 0, 4], [0, 0, 0]]
    assert found["tried"]["declines"]["value"] == 5
    assert [day["decisions"] for day in found["days"]] == [10]
    shown = {one["transaction_id"]: one for one in found["examples"]}
    assert set(shown) == {str(one.transaction_id) for one in stored[5:]}
    first = shown[str(stored[9].transaction_id)]
    assert (first["amount"], first["decided"], first["tried"]) == (1000.0, "review", "decline")
    assert first["is_fraud"] is True
    assert found["cost_model"]["false_decline"] is None


@pytest.mark.usefixtures("stored")
def test_a_list_rules_and_thresholds_are_tried_too(
    post: Any, service_engine: Engine, tenant: Tenant
) -> None:
    tried = {"entity": "account", "action": "approve", "values": ["C10", "C1"]}
    found = post({"list": tried}).json()
    assert found["firing"]["fires"] == 2
    assert found["difference"]["frauds_let_pass"]["value"] == 1
    put_list(service_engine, tenant.id, "watched", ["C2"], action=None)
    rules = [{"condition": "in_list('watched', nameOrig)", "action": "approve"}]
    found = post({"rules": rules}).json()
    assert found["changes"][1] == [1, 9, 0]
    assert found["firing"] is None
    found = post({"thresholds": {"threshold": 0.5}}).json()
    assert found["changes"][1] == [10, 0, 0]


@pytest.mark.usefixtures("stored")
def test_a_stored_list_is_tried_by_its_name(
    post: Any, service_engine: Engine, tenant: Tenant
) -> None:
    put_list(service_engine, tenant.id, "watched", ["C10", "C1"], action=None)
    found = post({"list": {"name": "watched", "action": "approve"}}).json()
    assert found["firing"]["fires"] == 2
    assert found["difference"]["frauds_let_pass"]["value"] == 1


def test_a_model_version_is_tried_where_it_scored(
    post: Any, service_engine: Engine, engine: Engine, tenant: Tenant, stored: list[Decided]
) -> None:
    challenger = replace(own_model(), version=ModelVersion("fraud-demo", 2))
    record_challenger(engine, tenant.id, challenger, 0.0)
    reply = post({"version": 2})
    assert reply.status_code == 422
    (error,) = reply.json()["errors"]
    assert error["field"] == "version"
    assert "scored none of the 10 decisions" in error["message"]
    assert "`challenger`" in error["message"]
    scores = [a_shadow_score(one, score=0.0001 if one in stored[:6] else 0.9) for one in stored[1:]]
    ShadowLog(service_engine).write(scores)
    found = post({"version": 2}).json()
    assert (found["decisions"], found["unscored"], found["frauds"]) == (9, 1, 4)
    assert found["changes"][1] == [5, 4, 0]
    assert found["difference"]["honest_let_pass"]["value"] == 5
    assert found["difference"]["frauds_let_pass"]["value"] == 0
    assert found["firing"] is None


@pytest.mark.usefixtures("stored")
def test_labels_count_as_of_a_time(post: Any) -> None:
    before = (DAYS_AGO - timedelta(minutes=1)).isoformat()
    reply = post({**TRIED, "as_of": before, "maturity_days": 0})
    assert reply.status_code == 422
    assert "no decision" in reply.json()["errors"][0]["message"]
    found = post({**TRIED, "maturity_days": 39}).json()
    assert found["decisions"] == 10


@pytest.mark.usefixtures("stored")
@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "body"),
        ({**TRIED, "thresholds": {"threshold": 0.5}}, "body"),
        ({"rule": {"condition": "amont > 1", "action": "review"}}, "rule.condition"),
        ({"rule": {"condition": "amount", "action": "review"}}, "rule.condition"),
        ({"rule": {"condition": "amount > 1", "action": "refuse"}}, "rule.action"),
        ({"rules": []}, "rules"),
        ({"rules": [{"condition": "x", "action": "review"}]}, "rules.0.condition"),
        ({"list": {"entity": "card", "action": "decline", "values": ["A"]}}, "list.entity"),
        ({"list": {"entity": "account", "action": "review", "values": ["A"]}}, "list.action"),
        ({"list": {"action": "decline", "values": ["A"]}}, "list"),
        ({"list": {"action": "decline", "name": "blocked", "entity": "account"}}, "list"),
        ({"list": {"action": "decline", "name": "gone"}}, "list.name"),
        ({"version": 9}, "version"),
        ({"version": 0}, "version"),
        ({**TRIED, "version": 1}, "body"),
        ({"thresholds": {"threshold": 1.0}}, "thresholds.threshold"),
        (
            {"thresholds": {"threshold": 0.5, "decline_from": 0.4}},
            "thresholds.decline_from",
        ),
        ({**TRIED, "maturity_days": -1}, "maturity_days"),
        ({**TRIED, "as_of": "2100-01-01T00:00:00Z"}, "as_of"),
        ({**TRIED, "window_days": 0}, "window_days"),
        ({**TRIED, "limit": 7}, "limit"),
    ],
)
def test_what_is_wrong_is_named(post: Any, body: Any, field: str) -> None:
    reply = post(body)
    assert reply.status_code == 422, reply.text
    assert [error["field"] for error in reply.json()["errors"]] == [field]


def test_an_error_of_a_condition_points_at_its_part(post: Any) -> None:
    reply = post({"rule": {"condition": "score > 0.5 and amont > 1", "action": "review"}})
    (error,) = reply.json()["errors"]
    assert error["message"].startswith("at column 17, `amont`: ")


def test_suggested_rules_have_figures_of_later_decisions(
    service_engine: Engine, tenant: Tenant
) -> None:
    """Large transfers are frauds that the model approves; half of the others are as large."""
    rng = np.random.default_rng(3)
    stored = []
    for number in range(900):
        is_fraud = number % 9 == 0
        decided = decision_at(
            a_decision(
                tenant.id,
                score=0.001,
                amount=float(rng.uniform(700, 900) if is_fraud else rng.uniform(1, 690)),
                type="TRANSFER" if is_fraud or rng.random() < 0.5 else "PAYMENT",
            ),
            DAYS_AGO + timedelta(seconds=number),
        )
        approved = decided.prediction._replace(decision="approve", risk_band="low")
        stored.append((decided._replace(prediction=approved), is_fraud))
    for start in range(0, 900, 300):
        batch = [decided for decided, _ in stored[start : start + 300]]
        assert DecisionLog(service_engine).write(batch) == batch
    with tenant_transaction(service_engine, tenant.id, actor=ANALYST) as connection:
        for start in range(0, 900, 300):
            labels = [
                NewLabel(
                    None,
                    decided.transaction_id,
                    "fraud" if is_fraud else "legitimate",
                    "chargeback",
                    DAYS_AGO,
                )
                for decided, is_fraud in stored[start : start + 300]
            ]
            store_labels(connection, tenant.id, labels, ANALYST)
    with connected(service_engine) as request:
        reply = request(tenant.id, "GET", "/rules/suggestions")
        assert reply.status_code == 200, reply.text
        found = reply.json()
        assert (found["earlier"], found["later"], found["earlier_frauds"]) == (600, 300, 67)
        first = found["rules"][0]
        assert "amount" in first["condition"]
        assert first["firing"]["precision"]["value"] > 0.9
        assert first["difference"]["frauds_stopped"]["value"] >= 30
        tried = {"rule": {"condition": first["condition"], "action": "review"}}
        again = request(tenant.id, "POST", "/rules/backtest", tried)
        assert again.status_code == 200, again.text
        assert again.json()["firing"]["frauds"]["value"] >= 90
