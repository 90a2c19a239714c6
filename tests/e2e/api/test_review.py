"""The review API over HTTP: worklist, transaction, feedback, search, export, audit."""

from __future__ import annotations

import csv
import io
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from time import perf_counter
from typing import Any

import pytest
from sqlalchemy import text

from persistence.tenants import find_tenant
from scoring.features import FEATURE_NAMES
from tests.support.factories import a_body, a_model
from tests.support.review_client import Analyst, refused
from tests.support.system import System


def test_the_analyst_sees_what_was_decided_even_after_a_promotion(system: System) -> None:
    dependencies = Analyst(system, find_tenant(system.engine, "demo"))
    scored = system.score(a_body(external_id="seen-1")).json()
    before = dependencies.get(f"/transactions/{scored['transaction_id']}").json()
    system.publish(system.model, a_model(seed=9, threshold=0.9))
    system.service.child.wait_until(
        lambda: system.score(a_body()).json()["model"] != scored["model"], 10
    )
    after = dependencies.get(f"/transactions/{scored['transaction_id']}").json()
    assert after == before
    prediction = after["prediction"]
    for name in ("prediction_id", "score", "margin", "base_value", "threshold", "model"):
        assert prediction[name] == scored[name]
    assert [feature["name"] for feature in prediction["features"]] == list(FEATURE_NAMES)
    total = prediction["base_value"] + sum(f["contribution"] for f in prediction["features"])
    assert total == pytest.approx(prediction["margin"], abs=1e-9)
    assert all(feature in prediction["features"] for feature in scored["top_features"])
    explained = system.service.post(
        "/explain", {"prediction_id": scored["prediction_id"]}, system.review_key
    ).json()
    assert prediction["reasons"] == explained["reasons"]
    assert after["transaction"] == a_body(external_id="seen-1")
    assert after["feedback"] == []


def test_the_worklist_holds_undecided_reviews_highest_score_first(analyst: Analyst) -> None:
    stored = analyst.decided(0.3, 0.9, 0.01, 0.6)
    listed = analyst.get("/queue").json()
    assert [item["score"] for item in listed["items"]] == [0.9, 0.6, 0.3]
    assert listed["next_cursor"] is None
    analyst.say(stored[1].transaction_id, "confirmed_fraud")
    assert [item["score"] for item in analyst.get("/queue").json()["items"]] == [0.6, 0.3]


@pytest.mark.parametrize(
    ("filters", "scores"),
    [
        ({}, [0.9, 0.6, 0.3]),
        ({"decision": "approve"}, [0.01]),
        ({"risk_band": "low"}, [0.01]),
        ({"risk_band": "medium"}, [0.3]),
        ({"risk_band": "high", "decision": "review"}, [0.9, 0.6]),
        ({"risk_band": "high", "decision": "approve"}, []),
        ({"undecided": "false"}, [0.7]),
        ({"undecided": "false", "risk_band": "low"}, []),
    ],
)
def test_the_worklist_is_filtered(
    analyst: Analyst, filters: dict[str, str], scores: list[float]
) -> None:
    stored = analyst.decided(0.3, 0.9, 0.01, 0.6, 0.7)
    analyst.say(stored[4].transaction_id, "false_positive")
    assert [item["score"] for item in analyst.walk("/queue", **filters)] == scores


def test_two_entries_of_feedback_leave_one_item_on_the_worklist(analyst: Analyst) -> None:
    decision, _ = analyst.decided(0.9, 0.8)
    for rationale in ("first", "second"):
        analyst.say(decision.transaction_id, "escalated", rationale=rationale)
    items = analyst.walk("/queue", limit=1)
    assert [item["score"] for item in items] == [0.9, 0.8]
    assert items[0]["feedback"]["rationale"] == "second"
    for label in ("confirmed_fraud", "false_positive"):
        analyst.say(decision.transaction_id, label)
    (settled,) = analyst.walk("/queue", undecided="false")
    assert settled["feedback"]["label"] == "false_positive"
    assert [item["score"] for item in analyst.walk("/queue")] == [0.8]


def test_the_pages_of_the_worklist_hold_every_item_once(analyst: Analyst) -> None:
    analyst.decided(*(i / 100 for i in range(10, 60)), *[0.5] * 10)
    whole = analyst.get("/queue", limit=200).json()["items"]
    assert len(whole) == 60
    assert analyst.walk("/queue", limit=7) == whole


def test_feedback_is_stored_with_its_author_and_keeps_history(analyst: Analyst) -> None:
    (decision,) = analyst.decided(0.9)
    first = analyst.say(decision.transaction_id, "escalated", rationale="odd\nhours")
    second = analyst.say(decision.transaction_id, "confirmed_fraud", rationale="Kontöinhaber: nein")
    assert first.status_code == second.status_code == 201
    case = analyst.get(f"/transactions/{decision.transaction_id}").json()
    assert case["feedback"] == [second.json(), first.json()]
    assert {feedback["actor"] for feedback in case["feedback"]} == {analyst.key.split("_")[1]}
    assert not case["undecided"]
    (entry,) = analyst.get("/audit", action="feedback.created", limit=1).json()["items"]
    assert entry["actor"] == analyst.key.split("_")[1]
    assert entry["after"]["rationale"] == "Kontöinhaber: nein"


def test_a_transaction_is_found_by_id_account_amount_and_time(analyst: Analyst) -> None:
    (paid,) = analyst.decided(
        0.2, external_id="order-1", name_orig="C1", name_dest="C2", amount=10.0
    )
    (received,) = analyst.decided(0.3, name_orig="C3", name_dest="C1", amount=5.0)

    def matching_ids(**parameters: Any) -> list[str]:
        return [item["transaction_id"] for item in analyst.walk("/transactions", **parameters)]

    both = [str(received.transaction_id), str(paid.transaction_id)]
    assert matching_ids() == matching_ids(account="C1", limit=1) == both
    assert matching_ids(external_id="order-1") == matching_ids(account="C2") == both[1:]
    assert matching_ids(account="C1", amount_max=5) == both[:1]
    today = datetime.now(UTC)
    recently = (today - timedelta(hours=1)).isoformat()
    assert matching_ids(amount_min=6, **{"from": recently}) == both[1:]
    naive = (today - timedelta(hours=1)).replace(tzinfo=None).isoformat()
    assert matching_ids(**{"from": naive}) == both
    assert (
        matching_ids(to=recently)
        == matching_ids(**{"from": (today + timedelta(days=1)).date()})
        == []
    )
    assert matching_ids(**{"from": "0001-01-01", "to": "9999-12-31"}) == both


def test_stored_spreadsheet_formulas_are_exported_as_text(analyst: Analyst) -> None:
    (decision,) = analyst.decided(
        0.9,
        external_id="=cmd|'/C",
        name_orig="+1",
        name_dest="@SUM(A1)",
        oldbalance_org=-3.5,
    )
    analyst.say(decision.transaction_id, rationale='=HYPERLINK("http://x")')
    reply = analyst.get("/transactions.csv")
    assert reply.status_code == 200
    assert reply.headers["content-type"] == "text/csv; charset=utf-8"
    assert "attachment" in reply.headers["content-disposition"]
    (row,) = csv.DictReader(io.StringIO(reply.text, newline=""))
    assert row["external_id"] == "'=cmd|'/C"
    assert (row["nameOrig"], row["nameDest"]) == ("'+1", "'@SUM(A1)")
    assert row["rationale"] == '\'=HYPERLINK("http://x")'
    assert float(row["oldbalanceOrg"]) == -3.5


def test_an_export_of_many_pages_has_every_row_once_up_to_its_limit(
    analyst: Analyst,
) -> None:
    stored = analyst.decided(*[0.2] * 2300)
    newest_first = sorted((str(d.transaction_id) for d in stored), reverse=True)
    for limit in (2300, 1000, 1500, 1):
        reply = analyst.get("/transactions.csv", limit=limit)
        rows = list(csv.DictReader(io.StringIO(reply.text, newline="")))
        if limit < len(stored):
            assert rows.pop()["transaction_id"].endswith(reply.headers["x-next-cursor"])
        assert [row["transaction_id"] for row in rows] == newest_first[:limit]


def test_an_export_without_rows_is_a_header(analyst: Analyst) -> None:
    assert analyst.get("/transactions.csv").text.count("\r\n") == 1


def test_the_audit_log_lists_actions_newest_first_without_secrets(analyst: Analyst) -> None:
    (decision,) = analyst.decided(0.9)
    analyst.say(decision.transaction_id)
    entries = analyst.walk("/audit", limit=2)
    assert [entry["action"] for entry in entries] == [
        "feedback.created",
        "key.created",
        "promotion.created",
        "tenant.created",
    ]
    assert "digest" not in entries[1]["after"]
    assert analyst.key.split("_")[2] not in str(entries)
    assert [e["action"] for e in analyst.walk("/audit", action="key.created")] == ["key.created"]


def test_ids_in_paths_make_no_metric_series(analyst: Analyst) -> None:
    stored = analyst.decided(0.9, 0.8)
    for decision in stored:
        analyst.get(f"/transactions/{decision.transaction_id}")
        analyst.say(decision.transaction_id)
    analyst.get("/transactions/seven")
    analyst.get("/nowhere/at/all")
    metrics = analyst.system.service.client.get("/metrics").text
    routes = {
        line.split('route="')[1].split('"')[0]
        for line in metrics.splitlines()
        if line.startswith("sentinel_requests_total{")
    }
    assert {"/transactions/{id}", "/transactions/{id}/feedback", "unknown"} <= routes
    assert not [route for route in routes if any(c.isdigit() for c in route)]
    assert str(stored[0].transaction_id) not in metrics


def test_waiting_review_requests_do_not_delay_scoring(analyst: Analyst) -> None:
    system = analyst.system
    with system.engine.connect() as holder, ThreadPoolExecutor(20) as crowd:
        holder.execute(text("LOCK TABLE audit_log IN ACCESS EXCLUSIVE MODE"))
        waiting = [crowd.submit(analyst.get, "/audit") for _ in range(20)]
        began = perf_counter()
        for _ in range(10):
            assert system.score(a_body()).status_code == 200
        assert perf_counter() - began < 2
        assert not any(reply.done() for reply in waiting)
        holder.rollback()
        assert {reply.result().status_code for reply in waiting} == {200}


def test_a_right_that_the_service_lacks_is_503_without_details(analyst: Analyst) -> None:
    with analyst.system.engine.begin() as owner:
        owner.execute(text("REVOKE SELECT ON audit_log FROM sentinel_service"))
    try:
        for _ in range(3):
            response = refused(analyst.get("/audit"), 503)
            assert "audit_log" not in str(response)
    finally:
        with analyst.system.engine.begin() as owner:
            owner.execute(text("GRANT SELECT ON audit_log TO sentinel_service"))
    assert analyst.get("/audit").status_code == 200
