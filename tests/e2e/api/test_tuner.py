"""GET /tuner returns the figures of a hand count for each threshold."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from persistence.labels.reader import SELECTION_BIAS
from tests.support.review_client import Analyst, refused
from tests.support.system import System

SCORES = [i / 100 for i in range(1, 31)]
FRAUDS = (0.07, 0.19, 0.22, 0.28, 0.3)
ESCALATED = (0.11, 0.26)
HONEST = (0.29, 0.05)


@pytest.fixture(scope="module")
def system(shared_system: System) -> System:
    """The service that several modules share."""
    return shared_system


@pytest.fixture
def reviewed(analyst: Analyst) -> Analyst:
    """An analyst who has gone through thirty decisions of 100 each."""
    for score, decision in zip(SCORES, analyst.decided(*SCORES, amount=100.0), strict=True):
        for label, scores in (
            ("confirmed_fraud", FRAUDS),
            ("escalated", ESCALATED),
            ("false_positive", HONEST),
        ):
            if score in scores:
                analyst.say(decision.transaction_id, label)
    return analyst


def counted(threshold: float, missed_fraud: float, false_alarm: float) -> dict[str, Any]:
    """Count by hand what a threshold would have done."""
    alerts = [s for s in SCORES if s >= threshold and s not in ESCALATED]
    caught = sum(s in FRAUDS for s in alerts)
    return {
        "threshold": threshold,
        "alerts": len(alerts),
        "alerts_per_day": len(alerts),
        "caught": caught,
        "missed": len(FRAUDS) - caught,
        "false_alarms": len(alerts) - caught,
        "net_savings": caught * missed_fraud - (len(alerts) - caught) * false_alarm,
    }


def test_each_thresholds_figures_equal_a_hand_count(reviewed: Analyst) -> None:
    reply = reviewed.get("/tuner", maturity_days=0).json()
    left = [s for s in SCORES if s not in ESCALATED]
    suggested = reply["suggested"]["threshold"]
    assert reply["curve"] == [counted(score, 1000, 5) for score in sorted({*left, suggested})]
    assert reply["current"] == counted(0.05, 1000, 5)
    assert reply["best"] == counted(0.07, 1000, 5)
    assert reply["cost_model"] == {
        "missed_fraud": 1000.0,
        "missed_fraud_share": 0.0,
        "false_alarm": 5.0,
        "false_decline": None,
    }
    assert (reply["matured"], reply["labelled"], reply["frauds"]) == (28, 7, 5)
    assert reply["presumed_honest"] == 21
    assert reply["selection_bias"] == SELECTION_BIAS
    assert not reply["truncated"]
    assert reply["note"] is None
    assert reply["window"]["from"] < reply["window"]["to"] <= reply["as_of"]


def test_other_costs_have_another_best_threshold(reviewed: Analyst) -> None:
    reply = reviewed.get("/tuner", maturity_days=0, missed_fraud=30, false_alarm=10).json()
    assert reply["best"] == counted(0.28, 30, 10)
    reply = reviewed.get(
        "/tuner", maturity_days=0, missed_fraud=0, missed_fraud_share=0.5, false_alarm=5
    ).json()
    assert reply["current"] == counted(0.05, 50, 5)


def test_the_threshold_and_the_costs_in_force_are_those_of_the_policy(reviewed: Analyst) -> None:
    reviewed.put_policy(threshold=0.215, cost_model={"missed_fraud": 40})
    reply = reviewed.get("/tuner", maturity_days=0).json()
    assert reply["current"] == counted(0.215, 40, 5)
    assert reply["current"] in reply["curve"]
    assert reply["cost_model"]["missed_fraud"] == 40
    assert reply["curve"] == sorted(reply["curve"], key=lambda point: point["threshold"])


def test_decisions_outside_the_maturity_window_are_left_out(analyst: Analyst) -> None:
    for days_ago in (10, 40, 80, 125):
        (fraud, _) = analyst.decided(0.9, 0.2, days_ago=days_ago)
        analyst.say(fraud.transaction_id, "confirmed_fraud")
    assert analyst.get("/tuner").json()["matured"] == 4
    assert analyst.get("/tuner", maturity_days=5).json()["matured"] == 6
    assert analyst.get("/tuner", window_days=20).json()["matured"] == 2
    assert analyst.get("/tuner", window_days=100).json()["matured"] == 6
    point = analyst.get("/tuner").json()["current"]
    assert point["alerts_per_day"] == pytest.approx(4 / 50, rel=1e-3)


def test_without_matured_decisions_or_frauds_there_is_a_note_and_no_curve(
    analyst: Analyst,
) -> None:
    def tuner_reply(**parameters: Any) -> dict[str, Any]:
        reply = analyst.get("/tuner", **parameters)
        assert reply.status_code == 200
        body: dict[str, Any] = reply.json()
        assert (body["current"], body["best"], body["curve"]) == (None, None, [])
        return body

    assert "No decision has matured" in tuner_reply()["note"]
    analyst.decided(0.9, 0.8)
    assert tuner_reply()["matured"] == 0
    body = tuner_reply(maturity_days=0, window_days=1)
    assert body["matured"] == 2
    assert "None of the 2 matured decisions is a confirmed fraud" in body["note"]


def test_a_long_curve_is_thinned_and_keeps_the_named_points_and_both_ends(analyst: Analyst) -> None:
    scores = [0.001 + i / 2000 for i in range(1200)]
    stored = analyst.decided(*scores)
    for i in (700, 900, 1100):
        analyst.say(stored[i].transaction_id, "confirmed_fraud")
    analyst.put_policy(threshold=0.3333)
    reply = analyst.get("/tuner", maturity_days=0).json()
    assert reply["matured"] == 1200
    assert 100 < len(reply["curve"]) <= 200
    for name in ("current", "best", "suggested"):
        assert reply[name] in reply["curve"]
    assert reply["best"]["alerts"] == 500
    assert reply["current"]["threshold"] == 0.3333
    assert [point["alerts"] for point in reply["curve"]] == sorted(
        (point["alerts"] for point in reply["curve"]), reverse=True
    )
    assert reply["curve"][0]["alerts"] == 1200
    assert reply["curve"][-1]["alerts"] == 1


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("maturity_days=-1", "maturity_days"),
        ("maturity_days=x", "maturity_days"),
        ("maturity_days=nan", "maturity_days"),
        ("window_days=0", "window_days"),
        ("window_days=inf", "window_days"),
        ("window_days=1e9", "window_days"),
        ("missed_fraud=-5", "missed_fraud"),
        ("missed_fraud=0", "missed_fraud"),
        ("missed_fraud_share=inf", "missed_fraud_share"),
        ("false_alarm=0", "false_alarm"),
        ("false_alarm=", "false_alarm"),
        ("threshold=0.5", "threshold"),
    ],
)
def test_a_bad_parameter_is_422_and_named(analyst: Analyst, query: str, field: str) -> None:
    client = analyst.system.service.client
    refused(client.get(f"/tuner?{query}", headers=analyst.headers), 422, field)


def test_the_route_needs_the_scope_review(system: System, hire: Callable[..., Analyst]) -> None:
    refused(hire("admin").get("/tuner"), 403)
    refused(hire("score").get("/tuner"), 403)
    refused(system.service.client.get("/tuner?surprise=1"), 401)
