"""Every route answers another tenant's ids with 404 and returns none of its rows.

The routes are those of the OpenAPI document: a new one fails here until somebody says how it is
tried.
"""

from __future__ import annotations

from typing import Any

import httpx

from persistence.api_keys import SCOPES, issue_key
from persistence.drift.checks import check_drift
from persistence.tenants import create_tenant, find_tenant
from scoring.prediction import ModelVersion
from tests.support.data.drift import last_day
from tests.support.factories import a_body, a_model
from tests.support.stack import KEY_SECRET
from tests.support.system import System

A_SNOOZE = {"entity": "account", "value": "C-x", "until": "2030-01-31T12:00:00Z", "reason": "mine"}
WITHOUT_TENANTS = {("get", "/livez"), ("get", "/readyz"), ("get", "/metrics")}


class Strangers:
    """Tenant B's decision, reviewed, and how tenant A may ask for it."""

    def __init__(self, system: System) -> None:
        self.system = system
        mine = find_tenant(system.engine, "demo")
        theirs = create_tenant(system.engine, "theirs", "fraud-theirs")
        system.publish("fraud-theirs", a_model(seed=4))
        mine_last = system.publish("fraud-demo", alias="candidate")
        self.their_version = 1
        while self.their_version <= mine_last:
            self.their_version = system.publish("fraud-theirs", alias=None)
        self.my_key = issue_key(system.engine, mine.id, SCOPES, KEY_SECRET)
        self.their_key = issue_key(system.engine, theirs.id, SCOPES, KEY_SECRET)
        body = a_body(external_id="theirs-1", nameOrig="C-theirs", nameDest="C-theirs-too")
        system.service.child.wait_until(
            lambda: system.service.post("/score", body, self.their_key).status_code == 200, 10
        )
        self.body = body
        self.scored = system.service.post("/score", body, self.their_key).json()
        system.service.post("/score", a_body(), self.their_key)
        verdict = {"label": "escalated", "rationale": "a secret of theirs"}
        path = f"/transactions/{self.scored['transaction_id']}/feedback"
        assert system.service.post(path, verdict, self.their_key).status_code == 201
        check_drift(
            system.engine,
            theirs.id,
            last_day(),
            {ModelVersion("fraud-theirs", 1): "a secret of theirs"},
        )
        changed = self.ask("put", "/policy", self.their_key, json={"threshold": 0.0625})
        assert changed.status_code == 200
        self._make_rules()

    def _make_rules(self) -> None:
        """Make a rule with a snooze and a list of tenant B's; A's own payments would match both."""
        rule = {
            "name": "a secret of theirs",
            "condition": "amount > 0.0625",
            "action": "decline",
            "state": "live",
        }
        blocked = {"name": "list-of-theirs", "entity": "account", "action": "decline"}
        entries = [{"value": one, "reason": "a secret of theirs"} for one in ("C-theirs", "C1")]
        for path, body in (
            ("/rules", rule),
            ("/rules/1/snoozes", A_SNOOZE | {"reason": "a secret of theirs"}),
            ("/lists", blocked),
            ("/lists/list-of-theirs/entries", {"entries": entries}),
        ):
            assert self.ask("post", path, self.their_key, json=body).status_code == 201

    def ask(self, method: str, path: str, key: str, **more: Any) -> httpx.Response:
        return self.system.service.client.request(
            method, path, headers={"Authorization": f"Bearer {key}"}, **more
        )

    def tries(self) -> dict[tuple[str, str], list[tuple[int, str, dict[str, Any]]]]:
        """For each route: the status to expect, the path, and the rest of the request."""
        transaction = f"/transactions/{self.scored['transaction_id']}"
        searches: list[dict[str, str]] = [
            {},
            {"external_id": "theirs-1"},
            {"account": "C-theirs"},
            {"from": "2020-01-01"},
        ]
        lists: list[dict[str, str]] = [{}, {"decision": "approve"}, {"undecided": "false"}]

        def cursor(path: str) -> str:
            page = self.ask("get", path, self.their_key, params={"limit": 1}).json()
            return str(page["next_cursor"])

        def listing(path: str, queries: list[dict[str, str]]) -> list[Any]:
            stolen = (422, path, {"params": {"cursor": cursor(path)}})
            return [stolen, *((200, path, {"params": query}) for query in queries)]

        verdict = {"label": "confirmed_fraud", "rationale": "not mine"}
        labelled = {"label": "fraud", "source": "rule", "transaction_id": transaction[14:]}
        own_rule = {"name": "mine", "action": "review"}
        reads_their_list = "in_list('list-of-theirs', nameOrig)"
        own_entries = [{"value": "C-mine", "reason": "not mine"}]
        their_entries = "/lists/list-of-theirs/entries"
        return {
            ("post", "/score"): [(200, "/score", {"json": self.body})],
            ("post", "/score/batch"): [
                (200, "/score/batch", {"json": {"transactions": [self.body]}})
            ],
            ("post", "/explain"): [
                (404, "/explain", {"json": {"prediction_id": self.scored["prediction_id"]}})
            ],
            ("get", "/queue"): listing("/queue", lists),
            ("get", "/transactions"): listing("/transactions", searches),
            ("get", "/transactions.csv"): [
                (200, "/transactions.csv", {"params": query}) for query in searches
            ],
            ("get", "/transactions/{id}"): [(404, transaction, {})],
            ("post", "/transactions/{id}/feedback"): [
                (404, f"{transaction}/feedback", {"json": verdict})
            ],
            ("post", "/labels"): [(404, "/labels", {"json": {"labels": [labelled]}})],
            ("get", "/event-type"): [(200, "/event-type", {})],
            # Only one that is refused: the other tests send PaySim's transactions.
            ("put", "/event-type"): [
                (422, "/event-type", {"json": {"name": "mine", "fields": {}}})
            ],
            ("get", "/policy"): [(200, "/policy", {})],
            ("put", "/policy"): [(200, "/policy", {"json": {"threshold": 0.07}})],
            ("delete", "/policy"): [(200, "/policy", {})],
            ("get", "/policy/proposals"): [(200, "/policy/proposals", {})],
            ("get", "/policy/proposals/{id}"): [(404, "/policy/proposals/1", {})],
            ("post", "/policy/proposals/{id}/approve"): [(404, "/policy/proposals/1/approve", {})],
            ("post", "/policy/proposals/{id}/refuse"): [(404, "/policy/proposals/1/refuse", {})],
            ("get", "/tuner"): [(200, "/tuner", {"params": {"maturity_days": 0}})],
            ("get", "/models"): [(200, "/models", {"params": {"maturity_days": 0}})],
            ("get", "/drift"): [(200, "/drift", {})],
            ("post", "/models/{version}/approve"): [
                (404, f"/models/{self.their_version}/approve", {})
            ],
            ("get", "/rules"): [(200, "/rules", {"params": {"window_days": 365}})],
            ("post", "/rules"): [
                (422, "/rules", {"json": {**own_rule, "condition": reads_their_list}})
            ],
            ("get", "/rules/suggestions"): [(200, "/rules/suggestions", {})],
            ("post", "/rules/backtest"): [
                (
                    422,
                    "/rules/backtest",
                    {
                        "json": {
                            "rule": {"condition": reads_their_list, "action": "review"},
                            "maturity_days": 0,
                        }
                    },
                )
            ],
            ("get", "/rules/{id}"): [(404, "/rules/1", {})],
            ("put", "/rules/{id}"): [(404, "/rules/1", {"json": {"version": 1, "state": "off"}})],
            ("post", "/rules/{id}/snoozes"): [(404, "/rules/1/snoozes", {"json": A_SNOOZE})],
            ("delete", "/rules/{id}/snoozes/{snooze_id}"): [(404, "/rules/1/snoozes/1", {})],
            ("get", "/lists"): [(200, "/lists", {})],
            ("post", "/lists"): [(201, "/lists", {"json": {"name": "mine", "entity": "account"}})],
            ("get", "/lists/{name}/entries"): [
                (404, "/lists/list-of-theirs/entries", {}),
                (404, "/lists/list-of-theirs/entries", {"params": {"value": "C-theirs"}}),
                (422, "/lists/mine/entries", {"params": {"cursor": cursor(their_entries)}}),
                (200, "/lists/mine/entries", {}),
            ],
            ("post", "/lists/{name}/entries"): [
                (404, "/lists/list-of-theirs/entries", {"json": {"entries": own_entries}})
            ],
            ("post", "/lists/{name}/entries/remove"): [
                (404, "/lists/list-of-theirs/entries/remove", {"json": {"values": ["C-theirs"]}})
            ],
            ("delete", "/lists/{name}"): [(404, "/lists/list-of-theirs", {})],
            ("get", "/audit"): listing(
                "/audit", [{}, {"action": "feedback.created"}, {"reads": "true"}]
            ),
        }


def test_every_route_gives_another_tenants_ids_404_and_never_a_row(system: System) -> None:
    strangers = Strangers(system)
    tries = strangers.tries()
    document = system.service.client.get("/openapi.json").json()
    routes = {(method, path) for path, item in document["paths"].items() for method in item}
    assert routes == set(tries) | WITHOUT_TENANTS
    before = tuple(system.count(table) for table in ("labels", "feedback", "predictions"))
    theirs = (
        strangers.scored["transaction_id"],
        strangers.scored["prediction_id"],
        "a secret of theirs",
        "fraud-theirs",
        "list-of-theirs",
        "0.0625",
        strangers.their_key.split("_")[1],
    )
    for (method, route), requests in tries.items():
        for status, path, more in requests:
            reply = strangers.ask(method, path, strangers.my_key, **more)
            assert reply.status_code == status, f"{method} {route}: {reply.text}"
            # A refusal repeats what it was asked for, nothing else.
            asked = path + str(more.get("json", "")) if status >= 400 else ""
            for secret in theirs:
                assert secret in asked or secret not in reply.text, f"{method} {route}"
    mine = find_tenant(system.engine, "demo").id
    ruled = system.rows("SELECT ruling FROM predictions WHERE tenant_id = :mine", mine=mine)
    assert {row["ruling"] for row in ruled} == {None}, "B's rule and list decide nothing of A's"
    own = strangers.ask("get", "/policy", strangers.their_key).json()
    assert (own["source"], own["threshold"]) == ("tenant", 0.0625)
    # /score and /score/batch made one decision of tenant A's own under that external_id.
    after = tuple(system.count(table) for table in ("labels", "feedback", "predictions"))
    assert after == (*before[:2], before[2] + 1)


def test_the_owning_tenants_key_finds_every_row(system: System) -> None:
    """Otherwise the test above could pass because nothing is ever found."""
    key = issue_key(system.engine, find_tenant(system.engine, "theirs").id, SCOPES, KEY_SECRET)
    headers = {"Authorization": f"Bearer {key}"}
    reply = system.service.client.get(
        "/transactions", params={"external_id": "theirs-1"}, headers=headers
    ).json()["items"]
    assert [item["feedback"]["rationale"] for item in reply] == ["a secret of theirs"]
    client = system.service.client
    assert client.get("/policy", headers=headers).json()["threshold"] == 0.0625
    models = client.get("/models", headers=headers).json()
    assert models["production"]["model"]["name"] == "fraud-theirs"
    (drifting,) = client.get("/drift", headers=headers).json()["versions"]
    assert drifting["note"] == "a secret of theirs"
    (rule,) = client.get("/rules", headers=headers).json()["rules"]
    assert (rule["name"], rule["version"], len(rule["snoozes"])) == ("a secret of theirs", 1, 1)
    (blocked,) = client.get("/lists", headers=headers).json()["lists"]
    assert (blocked["name"], blocked["entries"]) == ("list-of-theirs", 2)
    tuner = client.get("/tuner", params={"maturity_days": 0}, headers=headers).json()
    assert tuner["matured"] == 1, "the escalated one is left out"
