"""Two tenants of one service: one sends PaySim's transactions, the other its card payments."""

from __future__ import annotations

import threading
from collections.abc import Callable
from math import isnan
from time import monotonic
from typing import Any
from uuid import UUID

import httpx
import numpy as np
import pytest
from click.testing import CliRunner

from persistence.api_keys import issue_key
from persistence.decisions.rows import read_decision
from persistence.tenants import create_tenant
from sentinel.cli.main import main
from tests.support.data.own_events import put_in_force
from tests.support.event_types import an_event, an_event_type
from tests.support.factories import a_body
from tests.support.load import exchange, score_request
from tests.support.own_models import STATELESS, WITH_WINDOWS, a_model_of, features_of
from tests.support.stack import KEY_SECRET
from tests.support.system import System

CARDS = an_event_type()
CHAMPION = a_model_of(features_of(WITH_WINDOWS))
CHALLENGER = a_model_of(features_of(STATELESS), seed=3)
WITH_NOTE = an_event_type(NOTE={"kind": "text", "optional": True})
NEEDS_SHOP = "The model needs the field SHOP, which the event type card_payment lacks."


class Cards:
    """The tenant of card payments and its keys."""

    def __init__(self, system: System) -> None:
        self.system = system
        self.model = f"{system.model}-cards"
        self.tenant = create_tenant(system.engine, "cards", self.model)
        self.key, self.admin = (
            issue_key(system.engine, self.tenant.id, scopes, KEY_SECRET)
            for scopes in (("score",), ("review", "admin"))
        )

    def score(self, **values: Any) -> httpx.Response:
        """POST /score of a card payment."""
        return self.system.service.post("/score", an_event(**values), self.key)

    def get(self, path: str) -> Any:
        """Return what a management route replies."""
        headers = {"Authorization": f"Bearer {self.admin}"}
        return self.system.service.client.get(path, headers=headers).json()

    def put_event_type(self, document: Any, query: str = "") -> httpx.Response:
        """PUT /event-type."""
        headers = {"Authorization": f"Bearer {self.admin}"}
        return self.system.service.client.put(f"/event-type{query}", json=document, headers=headers)

    def features(self, reply: Any) -> dict[str, float | None]:
        """Return the stored features of a decision."""
        decided = read_decision(self.system.engine, self.tenant.id, UUID(reply["prediction_id"]))
        prediction = decided.prediction
        return {
            name: None if isnan(value) else value
            for name, value in zip(prediction.described.names, prediction.features, strict=True)
        }

    def wait_until(self, condition: Callable[[], bool], seconds: float = 10) -> None:
        """Wait for the service."""
        self.system.service.child.wait_until(condition, seconds)


@pytest.fixture(scope="module")
def cards(system: System) -> Cards:
    """The tenant, whose model with windows is in production."""
    cards = Cards(system)
    put_in_force(system.engine, cards.tenant, CARDS)
    system.publish(cards.model, CHAMPION)
    cards.wait_until(lambda: cards.score(CUSTOMER_ID="warm-up").is_success)
    return cards


def test_each_tenant_sends_its_own_fields(system: System, cards: Cards) -> None:
    assert system.score(a_body()).status_code == 200
    assert cards.score().status_code == 200
    refused = system.service.post("/score", a_body(), cards.key)
    assert refused.status_code == 422
    named = {error["field"] for error in refused.json()["errors"]}
    assert {"TX_DATETIME", "step"} <= named, "missing and unknown fields"
    assert system.score(an_event()).status_code == 422


def test_windows_see_the_payments_before_and_a_retry_counts_once(cards: Cards) -> None:
    def payment(hour: int, **more: Any) -> httpx.Response:
        at = f"2026-03-30T{hour:02d}:00:00Z"
        return cards.score(CUSTOMER_ID="retry", TX_DATETIME=at, TX_AMOUNT=hour * 1.0, **more)

    first = payment(10, external_id="retry-1")
    again = payment(10, external_id="retry-1")
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.json()["prediction_id"] == first.json()["prediction_id"]
    features = cards.features(first.json())
    assert (features["events_1d"], features["amount_over_mean"]) == (0, None)
    features = cards.features(payment(12).json())
    assert (features["events_1d"], features["amount_over_mean"]) == (1, 1.2)
    other = payment(10, external_id="retry-1", TERMINAL_ID="T2")
    assert other.json()["type"].endswith("idempotency-mismatch")
    assert cards.features(payment(13).json())["events_1d"] == 2


def test_the_rows_of_a_batch_see_each_other_in_order(system: System, cards: Cards) -> None:
    rows = [
        an_event(CUSTOMER_ID="batch", TX_DATETIME=f"2026-03-30T{hour}:00:00Z")
        for hour in (10, 11, 11, 12)
    ]
    reply = system.service.post("/score/batch", {"transactions": rows}, cards.key)
    assert reply.status_code == 200
    counted = [cards.features(result)["events_1d"] for result in reply.json()["results"]]
    assert counted == [0, 1, 1, 3]
    rows[2]["TX_AMOUNT"] = -1
    refused = system.service.post("/score/batch", {"transactions": rows}, cards.key)
    assert [error["field"] for error in refused.json()["errors"]] == ["transactions.2.TX_AMOUNT"]


def test_an_explanation_has_the_windows_and_stores_nothing(system: System, cards: Cards) -> None:
    cards.score(CUSTOMER_ID="asked", TX_DATETIME="2026-03-30T10:00:00Z")
    before = [system.count(table) for table in ("transactions", "entity_events")]
    event = an_event(CUSTOMER_ID="asked", TX_DATETIME="2026-03-30T11:00:00Z")
    explained = system.service.post("/explain", {"transaction": event}, cards.key).json()
    values = {one["name"]: one["value"] for one in explained["features"]}
    assert (values["events_1d"], values["terminal_risk"]) == (1, None)
    total = explained["base_value"] + sum(one["contribution"] for one in explained["features"])
    assert total == pytest.approx(explained["margin"], abs=1e-9)
    assert [system.count(table) for table in ("transactions", "entity_events")] == before
    scored = cards.score(CUSTOMER_ID="asked", TX_DATETIME="2026-03-30T11:00:00Z").json()
    assert scored["margin"] == explained["margin"]
    stored = {"prediction_id": scored["prediction_id"]}
    again = system.service.post("/explain", stored, cards.key).json()
    assert again["features"] == explained["features"]


def test_explanations_that_are_asked_for_at_once_do_not_see_each_other(
    system: System, cards: Cards
) -> None:
    requests = [
        score_request(
            {
                "transaction": an_event(
                    CUSTOMER_ID="at once", TX_DATETIME=f"2026-03-30T10:00:{second:02d}Z"
                )
            },
            cards.key,
            "/explain",
        )
        for second in range(60)
    ]
    for reply in exchange(system.service.url, requests):
        values = {one["name"]: one["value"] for one in reply.json()["features"]}
        assert values["events_1d"] == 0


def test_a_decision_with_windows_is_replayed(
    system: System, cards: Cards, mlflow_server: str, monkeypatch: pytest.MonkeyPatch,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:  # fmt: skip
    reply = cards.score(CUSTOMER_ID="replayed").json()
    cards.score(CUSTOMER_ID="replayed", TX_DATETIME="2026-03-31T11:00:00Z")
    monkeypatch.setenv("DATABASE_URL", system.database)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", mlflow_server)
    monkeypatch.setenv("SENTINEL_HOME", str(tmp_path_factory.mktemp("replay")))
    result = CliRunner().invoke(main, ["replay", reply["prediction_id"]])
    assert result.exit_code == 0, result.output
    assert f"repeats it to the last bit: margin {reply['margin']!r}" in result.output
    assert "Taken as stored, because they use windows: events_1d" in result.output


def test_a_challenger_with_other_features_scores_in_shadow(system: System, cards: Cards) -> None:
    version = system.publish(cards.model, CHALLENGER, alias="challenger")
    cards.wait_until(lambda: system.count("challenger_versions") == 1)
    reply = cards.score(CUSTOMER_ID="shadowed", TX_AMOUNT=80.0).json()
    found = "SELECT margin, model_version FROM shadow_scores WHERE prediction_id::text = :id"
    cards.wait_until(lambda: bool(system.rows(found, id=reply["prediction_id"])))
    (shadow,) = system.rows(found, id=reply["prediction_id"])
    features = np.array([[80.0, 12.0, 1.0]])
    assert shadow == {"margin": CHALLENGER.margins(features)[0], "model_version": version}
    assert shadow["margin"] != reply["margin"]


def test_a_challenger_sees_the_payments_of_a_batch_once(system: System, cards: Cards) -> None:
    version = system.publish(cards.model, CHAMPION, alias="challenger")
    cards.wait_until(
        lambda: bool(
            system.rows("SELECT FROM challenger_versions WHERE version = :version", version=version)
        )
    )
    rows = [
        an_event(CUSTOMER_ID="of a batch", TX_DATETIME=f"2026-03-30T{hour:02d}:00:00Z")
        for hour in range(20)
    ]
    reply = system.service.post("/score/batch", {"transactions": rows}, cards.key).json()
    margins = {result["prediction_id"]: result["margin"] for result in reply["results"]}
    assert len(set(margins.values())) > 1, "the model depends on the number of payments"
    found = "SELECT prediction_id::text, margin FROM shadow_scores WHERE model_version = :version"

    def shadows() -> dict[str, float]:
        scored = system.rows(found, version=version)
        return {row["prediction_id"]: row["margin"] for row in scored}

    cards.wait_until(lambda: len(shadows()) == len(rows))
    assert shadows() == margins


def test_a_version_that_does_not_fit_is_refused_and_the_one_before_decides(
    system: System, cards: Cards
) -> None:
    with_shop = an_event_type(SHOP={"kind": "category", "optional": True})
    needs = features_of({**WITH_WINDOWS, "no_shop": "is_missing(SHOP)"}, with_shop)
    before = cards.score().json()["model"]
    version = system.publish(cards.model, a_model_of(needs))
    cards.wait_until(lambda: bool(cards.get("/models")["refusals"]))
    (refusal,) = cards.get("/models")["refusals"]
    assert (refusal["model"]["version"], refusal["reason"]) == (version, NEEDS_SHOP)
    ready = system.service.client.get("/readyz")
    assert ready.status_code == 200
    fault = f"version {version} is refused for tenant cards: {NEEDS_SHOP}"
    assert ready.json()["faults"] == {cards.model: fault}
    assert cards.score().json()["model"] == before
    system.publish(cards.model, CHAMPION)
    cards.wait_until(lambda: not system.service.client.get("/readyz").json()["faults"])


def test_a_compatible_change_is_in_force_within_a_second_without_a_failed_request(
    system: System, cards: Cards
) -> None:
    statuses: list[int] = []
    is_over = threading.Event()

    def pay() -> None:
        while not is_over.is_set():
            statuses.append(cards.score(CUSTOMER_ID="busy").status_code)

    thread = threading.Thread(target=pay)
    thread.start()
    try:
        assert cards.score(NOTE="hello").status_code == 422
        # As `sentinel event-types apply` does: the process learns of it from Postgres.
        put_in_force(system.engine, cards.tenant, WITH_NOTE)
        applied_s = monotonic()
        cards.wait_until(lambda: cards.score(NOTE="hello").is_success, 5)
        assert monotonic() - applied_s < 1
    finally:
        is_over.set()
        thread.join()
    assert set(statuses) == {200}


def test_an_incompatible_change_is_refused_and_nothing_changes(cards: Cards) -> None:
    before = cards.get("/event-type")
    reply = cards.put_event_type({"name": before["name"], "label": "TX_FRAUD", "fields": {
        name: field for name, field in before["fields"].items() if name != "TX_AMOUNT"
    }})  # fmt: skip
    assert reply.status_code == 422
    assert "TX_AMOUNT is removed" in reply.json()["detail"]
    assert cards.get("/event-type") == before
    assert cards.score().status_code == 200


def test_an_event_type_that_the_model_does_not_fit_is_answered_with_503(
    system: System, cards: Cards
) -> None:
    before = cards.get("/event-type")
    document = {name: before[name] for name in ("name", "label", "fields")}
    fields = {name: one for name, one in before["fields"].items() if name != "CHANNEL"}
    assert cards.put_event_type(document | {"fields": fields}, "?replace=true").status_code == 200
    stored = system.count("transactions")
    event = {name: value for name, value in an_event().items() if name != "CHANNEL"}
    sentence = "The model needs the field CHANNEL, which the event type card_payment lacks."
    bodies = {
        "/score": event,
        "/score/batch": {"transactions": [event]},
        "/explain": {"transaction": event},
    }
    for path, body in bodies.items():
        reply = system.service.post(path, body, cards.key)
        assert (reply.status_code, reply.json()["detail"]) == (503, sentence)
        assert reply.json()["type"].endswith("no-production-model")
    assert system.count("transactions") == stored
    assert system.score(a_body()).status_code == 200, "the other tenant's payments are decided"
    assert cards.put_event_type(document, "?replace=true").status_code == 200
    cards.wait_until(lambda: cards.score().is_success)
