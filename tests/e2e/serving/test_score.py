"""POST /score, /score/batch and /explain: the decision is stored before the reply and adds up."""

from __future__ import annotations

import re
import threading
import time
from uuid import UUID

import pytest
from sqlalchemy import text

from persistence.api_keys import issue_key
from persistence.tenants import create_tenant
from scoring.features import FEATURE_NAMES
from tests.support.factories import a_body, a_model
from tests.support.load import exchange, score_request, send
from tests.support.stack import KEY_SECRET
from tests.support.system import System


@pytest.fixture(scope="module")
def other_key(system: System) -> str:
    """An API key of a second tenant, with a model of its own in production."""
    other = create_tenant(system.engine, "other", "fraud-other-scored")
    system.publish("fraud-other-scored", a_model(seed=9))
    key = issue_key(system.engine, other.id, ("score",), KEY_SECRET)
    system.service.child.wait_until(
        lambda: system.service.post("/score", a_body(), key).is_success, 10
    )
    return key


def test_a_score_is_stored_before_the_reply_and_adds_up(system: System) -> None:
    reply = system.score(a_body())
    assert reply.status_code == 200
    body = reply.json()
    (row,) = system.rows("SELECT * FROM predictions WHERE id = :id", id=body["prediction_id"])
    assert row["transaction_id"] == UUID(body["transaction_id"])
    for name in ("score", "margin", "base_value", "threshold", "risk_band", "decision"):
        assert row[name] == body[name]
    assert row["base_value"] + sum(row["contributions"].values()) == pytest.approx(
        row["margin"], abs=1e-9
    )
    for feature in body["top_features"]:
        assert row["contributions"][feature["name"]] == feature["contribution"]
        assert row["features"][feature["name"]] == feature["value"]
    assert 0 < row["latency_ms"] <= body["latency_ms"]


def test_latency_ms_includes_the_explanation_and_the_commit(system: System) -> None:
    held_s = 0.4
    locked, done = threading.Event(), threading.Event()

    def hold() -> None:
        with system.engine.begin() as connection:
            connection.execute(text("LOCK TABLE predictions IN EXCLUSIVE MODE"))
            locked.set()
            time.sleep(held_s)
        done.set()

    holder = threading.Thread(target=hold)
    holder.start()
    assert locked.wait(5)
    begun = time.perf_counter()
    reply = system.score(a_body()).json()
    seen_ms = (time.perf_counter() - begun) * 1e3
    holder.join()
    assert done.is_set()
    assert held_s * 1e3 * 0.5 < reply["latency_ms"] <= seen_ms


def test_the_balances_after_the_payment_do_not_change_the_score(system: System) -> None:
    margins = [
        system.score(a_body(newbalanceOrig=after, newbalanceDest=after)).json()["margin"]
        for after in (0.0, 181_250.75, 1e9)
    ]
    assert margins == [system.score(a_body()).json()["margin"]] * 3


def test_each_tenant_is_scored_by_its_own_model_and_every_decision_names_a_version_that_served(
    system: System, other_key: str
) -> None:
    mine = system.score(a_body()).json()
    theirs = system.service.post("/score", a_body(), other_key).json()
    assert theirs["model"]["name"] == "fraud-other-scored"
    assert mine["model"]["name"] != theirs["model"]["name"]
    assert (mine["score"], mine["base_value"]) != (theirs["score"], theirs["base_value"])
    unknown = system.rows(
        "SELECT p.model_name, p.model_version FROM predictions p LEFT JOIN model_versions v"
        " ON (v.tenant_id, v.name, v.version) = (p.tenant_id, p.model_name, p.model_version)"
        " WHERE v.name IS NULL"
    )
    assert unknown == []


def test_every_reply_of_64_concurrent_clients_has_its_own_row(system: System) -> None:
    amounts = [float(i) for i in range(1, 257)]
    before = system.count("predictions")
    requests = [score_request(a_body(amount=amount), system.key) for amount in amounts]
    replies = exchange(system.service.url, requests, clients=64)
    assert {reply.status for reply in replies} == {200}
    ids = [reply.json()["prediction_id"] for reply in replies]
    stored = system.rows(
        "SELECT p.id, p.score, t.amount FROM predictions p JOIN transactions t"
        " ON (t.tenant_id, t.id) = (p.tenant_id, p.transaction_id)"
    )
    by_id = {str(row["id"]): row for row in stored}
    assert len(set(ids)) == len(ids)
    for amount, reply in zip(amounts, replies, strict=True):
        row = by_id[reply.json()["prediction_id"]]
        assert (row["amount"], row["score"]) == (amount, reply.json()["score"])
    assert system.count("predictions") == before + len(amounts)


def test_concurrent_clients_share_batches(system: System) -> None:
    def batches() -> tuple[float, float]:
        values = {"sum": 0.0, "count": 0.0}
        for line in system.service.client.get("/metrics").text.splitlines():
            if 'method_name="score_batch"' in line:
                for suffix in values:
                    if line.startswith(f"bentoml_service_adaptive_batch_size_{suffix}"):
                        values[suffix] += float(line.rpartition(" ")[2])
        return values["sum"], values["count"]

    items_before, batches_before = batches()
    send(system.service.url, [score_request(a_body(), system.key)] * 640, clients=64)
    # A batch is counted after its answers.
    system.service.child.wait_until(lambda: batches()[0] - items_before == 640, 5)
    items_after, batches_after = batches()
    assert (items_after - items_before) / (batches_after - batches_before) > 1.5


def test_a_batch_replies_in_order_and_agrees_with_single_scores(system: System) -> None:
    bodies = [a_body(amount=float(10**i), type=t) for i, t in enumerate(("PAYMENT", "CASH_OUT"))]
    reply = system.service.post("/score/batch", {"transactions": bodies}, system.key)
    assert reply.status_code == 200
    results = reply.json()["results"]
    for body, result in zip(bodies, results, strict=True):
        single = system.score(body).json()
        assert result["score"] == single["score"]
        assert result["top_features"] == single["top_features"]
    assert reply.json()["total_latency_ms"] > 0


def test_a_batch_of_a_thousand_is_stored_whole(system: System) -> None:
    before = system.count("predictions")
    bodies = [a_body(amount=float(i)) for i in range(1000)]
    reply = system.service.post("/score/batch", {"transactions": bodies}, system.key)
    assert len(reply.json()["results"]) == 1000
    assert system.count("predictions") == before + 1000


def test_a_repeated_external_id_returns_the_stored_reply(system: System) -> None:
    first = system.score(a_body(external_id="order-1")).json()
    again = system.score(a_body(external_id="order-1")).json()
    assert first.pop("latency_ms") > 0
    assert again.pop("latency_ms") > 0
    assert again == first


def test_the_idempotency_key_header_sets_the_external_id(system: System) -> None:
    header = {"Idempotency-Key": "order-2"}
    first = system.score(a_body(), headers=header).json()
    by_header = system.score(a_body(), headers=header).json()
    by_field = system.score(a_body(external_id="order-2")).json()
    assert first["prediction_id"] == by_header["prediction_id"] == by_field["prediction_id"]


def test_a_repeated_external_id_with_another_body_is_422(system: System) -> None:
    system.score(a_body(external_id="order-3"))
    reply = system.score(a_body(external_id="order-3", amount=1.0))
    assert reply.status_code == 422
    assert "order-3" in reply.json()["detail"]


def test_an_idempotency_key_belongs_to_its_tenant_and_body(system: System, other_key: str) -> None:
    header = {"Idempotency-Key": "invoice-7"}
    mine = system.score(a_body(), headers=header).json()
    theirs = system.service.post("/score", a_body(), other_key, headers=header).json()
    other_body = system.score(a_body(amount=1.0), headers=header)
    assert mine["prediction_id"] != theirs["prediction_id"]
    assert other_body.status_code == 422
    assert system.score(a_body(), headers=header).json()["prediction_id"] == mine["prediction_id"]


def test_base_value_and_contributions_of_a_stored_prediction_add_up_to_its_margin(
    system: System,
) -> None:
    scored = system.score(a_body()).json()
    explained = system.service.post(
        "/explain", {"prediction_id": scored["prediction_id"]}, system.review_key
    ).json()
    assert explained["base_value"] == scored["base_value"]
    (read,) = system.rows(
        "SELECT actor, action FROM access_log WHERE object = :o",
        o=f"transactions/{scored['transaction_id']}",
    )
    assert read == {"actor": system.review_key.split("_")[1], "action": "transaction.read"}
    total = scored["base_value"] + sum(f["contribution"] for f in explained["features"])
    assert total == pytest.approx(scored["margin"], abs=1e-9)


def test_an_explanation_names_every_feature_and_adds_up(system: System) -> None:
    reply = system.service.post("/explain", {"transaction": a_body()}, system.key)
    assert reply.status_code == 200
    body = reply.json()
    assert [f["name"] for f in body["features"]] == list(FEATURE_NAMES)
    total = body["base_value"] + sum(f["contribution"] for f in body["features"])
    assert total == pytest.approx(body["margin"], abs=1e-9)
    reasons = " ".join(body["reasons"])
    assert "TRANSFER" in reasons
    # Features that state the same fact share a sentence, which has the contribution of each.
    top = sorted((f["contribution"] for f in body["features"]), key=abs)[-5:]
    stated = " and ".join(re.findall(r"\(log-odds ([^)]*)\)", reasons)).split(" and ")
    assert sorted(map(float, stated)) == pytest.approx(sorted(top), abs=0.0051)


def test_explaining_a_transaction_stores_nothing(system: System) -> None:
    before = system.count("transactions")
    system.service.post("/explain", {"transaction": a_body()}, system.key)
    assert system.count("transactions") == before


def test_a_stored_prediction_is_explained_by_the_version_that_made_it(system: System) -> None:
    scored = system.score(a_body()).json()
    other = system.publish(scored["model"]["name"], a_model(seed=7), alias="production")
    system.service.child.wait_until(
        lambda: system.score(a_body()).json()["model"]["version"] == other, 10
    )
    explained = system.service.post(
        "/explain", {"prediction_id": scored["prediction_id"]}, system.review_key
    ).json()
    assert explained["model"] == scored["model"]
    for name in ("score", "margin", "base_value", "threshold", "decision"):
        assert explained[name] == scored[name]
    contributions = {f["name"]: f["contribution"] for f in explained["features"]}
    for feature in scored["top_features"]:
        assert contributions[feature["name"]] == feature["contribution"]
