"""GET /models lists served, challenging and refused versions, and compares the two that compete."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from persistence.labels.reader import SELECTION_BIAS
from persistence.tenants import create_tenant
from registry.names import CHALLENGER
from scoring.evaluation.comparison import MIN_FRAUDS
from tests.support.factories import a_body, a_model
from tests.support.review_client import Analyst, refused
from tests.support.system import System

TRANSACTIONS = 80
FRAUDS = 30


@pytest.fixture(scope="module")
def system(shared_system: System) -> System:
    """The service that several modules share."""
    return shared_system


class Bank:
    """A tenant whose models are really registered, and who sees it all."""

    def __init__(self, system: System, slug: str) -> None:
        self.system = system
        self.model = f"fraud-{slug}"
        tenant = create_tenant(system.engine, slug, self.model)
        self.analyst = Analyst(system, tenant, "score", "review", "admin")
        system.publish(self.model, a_model())
        self.wait_until(lambda: self.models()["production"] is not None)

    def models(self, **parameters: Any) -> dict[str, Any]:
        reply = self.analyst.get("/models", **parameters)
        assert reply.status_code == 200, reply.text
        body: dict[str, Any] = reply.json()
        return body

    def wait_until(self, reached: Callable[[], bool]) -> None:
        self.system.service.child.wait_until(reached, 20)

    def challenge(self, **model: Any) -> None:
        self.system.publish(self.model, a_model(**model), alias=CHALLENGER)
        self.wait_until(lambda: self.models()["challenger"] is not None)

    def score(self, count: int) -> list[dict[str, Any]]:
        rows = [a_body(amount=10.0 * 2 ** (i % 20), nameOrig=f"C{i}") for i in range(count)]
        reply = self.system.service.post("/score/batch", {"transactions": rows}, self.analyst.key)
        scored: list[dict[str, Any]] = reply.json()["results"]
        ids = [row["prediction_id"] for row in scored]
        self.wait_until(
            lambda: (
                self.system.rows(
                    "SELECT count(*) FROM shadow_scores WHERE prediction_id = ANY (:ids)", ids=ids
                )[0]["count"]
                == count
            )
        )
        return scored


def test_without_a_challenger_the_reply_has_the_production_version_and_a_note(
    system: System,
) -> None:
    bank = Bank(system, "unchallenged")
    reply = bank.models()
    production = reply["production"]
    assert production["model"] == {"name": bank.model, "version": 1}
    assert production["threshold"] == 0.05
    assert production["calibrator"] == "sigmoid"
    assert production["since"] >= production["first_served_at"]
    assert [version["model"]["version"] for version in reply["versions"]] == [1]
    assert (reply["challenger"], reply["comparison"], reply["refusals"]) == (None, None, [])
    assert reply["note"] == "No model version is under the alias `challenger`."
    assert reply["policy"] == bank.analyst.get("/policy").json()

    system.publish(bank.model, a_model(seed=3, threshold=0.2))
    bank.wait_until(lambda: bank.models()["production"]["model"]["version"] == 2)
    reply = bank.models()
    assert [version["threshold"] for version in reply["versions"]] == [0.2, 0.05]
    assert reply["policy"]["threshold"] == 0.2
    bank.analyst.put_policy(threshold=0.3)
    reply = bank.models()
    assert (reply["policy"]["source"], reply["policy"]["threshold"]) == ("tenant", 0.3)
    assert reply["production"]["threshold"] == 0.2


def test_the_comparison_of_champion_and_challenger_equals_a_hand_count(system: System) -> None:
    bank = Bank(system, "challenged")
    bank.challenge(seed=5, threshold=0.4)
    reply = bank.models(maturity_days=0)
    assert reply["challenger"]["model"] == {"name": bank.model, "version": 2}
    assert reply["challenger"]["canary_percent"] == 0
    assert reply["comparison"] is None
    assert "No decision that versions 1 and 2 both scored" in reply["note"]

    scored = bank.score(TRANSACTIONS)
    riskiest = sorted(scored, key=lambda row: -row["score"])
    escalated, *settled = [row["transaction_id"] for row in riskiest[: 2 * FRAUDS : 2]]
    frauds = set(settled)
    bank.analyst.say(escalated, "escalated")
    for transaction_id in frauds:
        bank.analyst.say(transaction_id, "confirmed_fraud")

    shadow = {
        str(row["prediction_id"]): row["decision"]
        for row in system.rows("SELECT prediction_id, decision FROM shadow_scores")
    }
    kept = [row for row in scored if row["transaction_id"] != escalated]

    def by_hand(decisions: list[str]) -> dict[str, float]:
        flagged = [d == "review" for d in decisions]
        fraud = [row["transaction_id"] in frauds for row in kept]
        caught = sum(f and is_fraud for f, is_fraud in zip(flagged, fraud, strict=True))
        return {
            "alerts": sum(flagged),
            "caught": caught,
            "missed": len(frauds) - caught,
            "false_alarms": sum(flagged) - caught,
            "net_savings": 1000 * caught - 5 * (sum(flagged) - caught),
        }

    champion = [row["decision"] for row in kept]
    challenger = [shadow[row["prediction_id"]] for row in kept]
    reply = bank.models(maturity_days=0, window_days=1)
    assert reply["note"] is None
    result = reply["comparison"]
    assert (result["matured"], result["frauds"]) == (TRANSACTIONS - 1, len(frauds))
    assert result["labelled"] == len(frauds)
    assert result["presumed_honest"] == TRANSACTIONS - 1 - len(frauds)
    assert result["selection_bias"] == SELECTION_BIAS
    for name, decisions in (("champion", champion), ("challenger", challenger)):
        expected = by_hand(decisions)
        side = result[name]
        assert {figure: side[figure]["value"] for figure in expected} == expected
        for figure in (*expected, "log_loss", "brier"):
            assert side[figure]["low"] <= side[figure]["value"] <= side[figure]["high"]
        assert 0 <= side["ece"]["value"] <= 1
    assert (result["champion"]["model"]["version"], result["challenger"]["model"]["version"]) == (
        1,
        2,
    )
    same = sum(a == b for a, b in zip(champion, challenger, strict=True))
    assert 0 < same < len(kept), "the versions have to differ for this test to say anything"
    assert result["agreement"] == pytest.approx(same / len(kept))
    difference = by_hand(challenger)["net_savings"] - by_hand(champion)["net_savings"]
    assert result["difference"]["value"] == pytest.approx(difference)
    assert result["is_better"] == (result["difference"]["low"] > 0)

    again = bank.models(maturity_days=0, window_days=1)["comparison"]
    assert again == result, "remembered for a dashboard that refreshes"
    assert bank.models(maturity_days=0, window_days=2)["comparison"]["as_of"] > result["as_of"]


def test_too_few_frauds_give_a_note_and_no_comparison(system: System) -> None:
    bank = Bank(system, "few")
    bank.challenge(seed=5)
    (one, *_) = bank.score(10)
    bank.analyst.say(one["transaction_id"], "confirmed_fraud")
    reply = bank.models(maturity_days=0)
    assert reply["comparison"] is None
    assert f"at least {MIN_FRAUDS}" in reply["note"]
    assert "No decision" in bank.models()["note"], "they are too young by default"


def test_a_refused_version_is_listed_with_its_reason(system: System) -> None:
    bank = Bank(system, "refusing")

    def spoil(folder: Path) -> None:
        (folder / "calibrator.json").unlink()

    version = system.publish(bank.model, a_model(), spoil=spoil)
    bank.wait_until(lambda: bank.models()["refusals"] != [])
    reply = bank.models()
    (refusal,) = reply["refusals"]
    assert refusal["model"] == {"name": bank.model, "version": version}
    assert "calibrator.json" in refusal["reason"]
    assert reply["production"]["model"]["version"] == 1


def test_without_any_version_the_reply_is_empty_with_a_note(system: System) -> None:
    tenant = create_tenant(system.engine, "versionless", "fraud-versionless")
    reply = Analyst(system, tenant).get("/models").json()
    assert reply == {
        "production": None,
        "challenger": None,
        "policy": None,
        "versions": [],
        "refusals": [],
        "four_eyes": False,
        "approvals": [],
        "comparison": None,
        "note": "No model version is in production, so there is nothing to challenge.",
    }


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("maturity_days=-0.1", "maturity_days"),
        ("window_days=", "window_days"),
        ("missed_fraud=5", "missed_fraud"),
    ],
)
def test_a_bad_parameter_is_422_and_named(analyst: Analyst, query: str, field: str) -> None:
    client = analyst.system.service.client
    refused(client.get(f"/models?{query}", headers=analyst.headers), 422, field)


def test_the_route_needs_the_scope_review(system: System, hire: Callable[..., Analyst]) -> None:
    refused(hire("admin").get("/models"), 403)
    refused(hire("score").get("/models"), 403)
    refused(system.service.client.get("/models?surprise=1"), 401)
