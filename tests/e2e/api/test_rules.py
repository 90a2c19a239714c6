"""What an analyst makes over HTTP decides the next payment, in every process within a second."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from observability.rule_metrics import DECIDED_BY, LIST_MATCHES, RULES
from persistence.tenants import find_tenant
from tests.support.factories import a_body
from tests.support.load import Load
from tests.support.review_client import refused
from tests.support.rules_client import Caller
from tests.support.stack import Service
from tests.support.system import ServeBeside, System

WITHIN_S = 1.0
LATER = "2030-01-31T12:00:00+00:00"
BY_MODEL = {"kind": "model", "id": None, "version": None}
COUNTERS = tuple(f"{one._name}_total" for one in (DECIDED_BY, RULES, LIST_MATCHES))


@pytest.fixture(scope="module")
def other(serve_beside: ServeBeside) -> Iterator[Service]:
    """A second process, which polls only once a minute."""
    with serve_beside(SENTINEL_ALIAS_POLL_SECONDS="60") as service:
        yield service


@pytest.fixture(scope="module")
def admin(system: System) -> Caller:
    """An analyst who may do everything, of a tenant whose model approves nearly everything."""
    admin = Caller(system, find_tenant(system.engine, "demo"), "admin", "review", "score")
    assert admin.ask("PUT", "/policy", {"threshold": 0.99}).status_code == 200
    return admin


@pytest.fixture(autouse=True)
def nothing_in_force(admin: Caller) -> None:
    """Begin without rules that act and without lists."""
    for rule in admin.reads("/rules")["rules"]:
        if rule["state"] != "off":
            change = {"version": rule["version"], "state": "off"}
            assert admin.ask("PUT", f"/rules/{rule['id']}", change).status_code == 200
    for one in admin.reads("/lists")["lists"]:
        assert admin.ask("DELETE", f"/lists/{one['name']}").status_code == 200


@pytest.fixture
def make_rule(admin: Caller) -> Callable[..., dict[str, Any]]:
    """A factory of live rules, each with a name of its own."""

    def make(**changes: Any) -> dict[str, Any]:
        name = f"rule {time.monotonic_ns()}"
        rule = {"name": name, "condition": "amount > 10", "action": "decline", "state": "live"}
        return admin.makes("/rules", **(rule | changes))

    return make


def key_of(rule: dict[str, Any]) -> dict[str, int]:
    return {"id": rule["id"], "version": rule["version"]}


def by_rule(rule: dict[str, Any]) -> dict[str, Any]:
    return {"kind": "rule", **key_of(rule)}


def until(seconds: float, decides: Callable[[], bool]) -> None:
    begun = time.monotonic()
    while not decides():
        assert time.monotonic() - begun < seconds, f"not after {seconds} s"


def test_lists_and_rules_decide_the_next_payment(
    admin: Caller, make_rule: Callable[..., dict[str, Any]]
) -> None:
    assert "decided_by" not in admin.scores()
    shadow = make_rule(state="shadow", condition="empties_account and amount > 1000")
    reply = admin.scores()
    assert (reply["decision"], reply["decided_by"]) == ("approve", BY_MODEL)
    assert reply["rules"]["shadow"] == [key_of(shadow)]
    live = admin.ask("PUT", f"/rules/{shadow['id']}", {"version": 1, "state": "live"}).json()
    reply = admin.scores()
    assert (reply["decision"], reply["decided_by"]) == ("decline", by_rule(live))
    assert by_rule(live)["version"] == 2

    trusted = admin.makes("/lists", name="trusted", entity="account", action="approve")
    entry = {"value": "C553264065", "reason": "our own account"}
    added = admin.makes("/lists/trusted/entries", entries=[entry])
    assert added == {"added": 1, "replaced": 0}
    reply = admin.scores()
    (match,) = reply["list_entries"]
    assert (reply["decision"], reply["decided_by"]["kind"]) == ("approve", "list_entry")
    assert match == {
        "list_id": trusted["id"],
        "entry_id": reply["decided_by"]["id"],
        "field": "nameDest",
    }
    assert reply["rules"]["fired"] == [key_of(live)], "every rule is evaluated"

    removal = {"values": [entry["value"], "C-nobody"]}
    removed = admin.ask("POST", "/lists/trusted/entries/remove", removal).json()
    assert removed == {"removed": 1, "unknown": 1}
    assert admin.scores()["decision"] == "decline"
    versions = admin.reads(f"/rules/{live['id']}")["versions"]
    assert [(one["version"], one["state"]) for one in versions] == [(2, "live"), (1, "shadow")]


def test_under_load_both_processes_follow_within_a_second_without_a_failed_request(
    system: System, other: Service, admin: Caller, make_rule: Callable[..., dict[str, Any]]
) -> None:
    services = (system.service, other)
    with Load(admin.key, [service.url for service in services], pause_s=0.02) as load:
        load.wait_for(50)
        admin.makes("/lists", name="blocked", entity="account", action="decline")
        entry = {"value": a_body()["nameOrig"], "reason": "stolen"}
        for _ in range(2):
            admin.makes("/lists/blocked/entries", entries=[entry])
            assert admin.scores()["decision"] == "decline", "at once where it was asked"
            until(WITHIN_S, lambda: admin.scores(other)["decision"] == "decline")
            admin.ask("POST", "/lists/blocked/entries/remove", {"values": [entry["value"]]})
            assert admin.scores()["decision"] == "approve"
            until(WITHIN_S, lambda: admin.scores(other)["decision"] == "approve")
        rule = make_rule(action="review")
        assert admin.scores()["decided_by"] == by_rule(rule)
        until(WITHIN_S, lambda: admin.scores(other).get("decided_by") == by_rule(rule))
        load.wait_for(50)
    assert {reply.status for reply in load.replies} == {200}
    decided: dict[str, set[str]] = {}
    for reply in load.replies:
        decided.setdefault(reply.url, set()).add(reply.json()["decision"])
    assert decided == {service.url: {"approve", "decline", "review"} for service in services}


def test_an_entry_counts_until_it_expires(admin: Caller) -> None:
    admin.makes("/lists", name="blocked", entity="account", action="decline")
    soon = datetime.now(UTC) + timedelta(seconds=2)
    expiring = {"value": "C1", "reason": "for a moment", "expires_at": soon.isoformat()}
    admin.makes("/lists/blocked/entries", entries=[expiring, {"value": "C2", "reason": "stays"}])
    assert admin.scores(nameDest="C1")["decision"] == "decline"
    time.sleep(max(0.0, (soon - datetime.now(UTC)).total_seconds()) + 0.01)
    assert admin.scores(nameDest="C1")["decision"] == "approve"
    assert admin.scores(nameDest="C2")["decision"] == "decline"
    again = admin.makes("/lists/blocked/entries", entries=[expiring | {"expires_at": LATER}])
    assert again == {"added": 0, "replaced": 1}
    assert admin.scores(nameDest="C1")["decision"] == "decline"
    (one,) = admin.reads("/lists/blocked/entries?value=C1")["items"]
    assert (one["expires_at"], one["reason"]) == (LATER, "for a moment")


def test_a_snoozed_rule_does_not_act_on_the_entity_until_the_snooze_ends(
    admin: Caller, make_rule: Callable[..., dict[str, Any]]
) -> None:
    rule = make_rule()
    path = f"/rules/{rule['id']}/snoozes"
    snooze = {"entity": "account", "value": "C7", "until": LATER, "reason": "sells a house"}
    made = admin.makes(path, **snooze)
    reply = admin.scores(nameOrig="C7")
    assert (reply["decision"], reply["decided_by"]) == ("approve", BY_MODEL)
    assert reply["rules"]["snoozed"] == [key_of(rule)]
    assert admin.scores(nameOrig="C8")["decision"] == "decline"
    newer = admin.ask("PUT", f"/rules/{rule['id']}", {"version": 1, "priority": 5}).json()
    assert admin.scores(nameOrig="C7")["rules"]["snoozed"] == [key_of(newer)], "in every version"
    assert admin.reads(f"/rules/{rule['id']}")["snoozes"] == [made]
    assert admin.ask("DELETE", f"{path}/{made['id']}").json() == {"ended": True}
    assert admin.scores(nameOrig="C7")["decision"] == "decline"
    refused(admin.ask("DELETE", f"{path}/{made['id']}"), 404)


def test_a_list_stays_as_long_as_a_rule_that_is_not_off_reads_it(
    admin: Caller, make_rule: Callable[..., dict[str, Any]]
) -> None:
    admin.makes("/lists", name="watched", entity="account")
    rule = make_rule(condition="in_list('watched', nameDest)")
    assert admin.scores()["decision"] == "approve"
    admin.makes("/lists/watched/entries", entries=[{"value": "C553264065", "reason": "new"}])
    assert admin.scores()["decided_by"] == by_rule(rule)
    problem = refused(admin.ask("DELETE", "/lists/watched"), 409)
    assert problem["type"] == "urn:sentinel:problem:in-use"
    assert f"Rule {rule['id']} ({rule['name']})" in problem["detail"]
    admin.ask("PUT", f"/rules/{rule['id']}", {"version": 1, "state": "off"})
    assert admin.ask("DELETE", "/lists/watched").json() == {"removed": True}
    back = {"version": 2, "state": "live"}
    refused(admin.ask("PUT", f"/rules/{rule['id']}", back), 422, "condition")


def test_scopes_say_who_may_do_what(
    system: System, admin: Caller, make_rule: Callable[..., dict[str, Any]]
) -> None:
    tenant = find_tenant(system.engine, "demo")
    admin.makes("/lists", name="blocked", entity="account", action="decline")
    rule = f"/rules/{make_rule(state='off')['id']}"
    snooze = {"entity": "account", "value": "C1", "until": LATER, "reason": "known"}
    entries = {"entries": [{"value": "C1", "reason": "known"}]}
    by_admin = [
        ("POST", "/rules", {"name": "n", "condition": "amount > 1", "action": "approve"}),
        ("PUT", rule, {"version": 1, "state": "live"}),
        ("POST", "/lists", {"name": "others", "entity": "account"}),
        ("DELETE", "/lists/blocked", None),
    ]
    by_reviewer = [
        ("GET", "/rules", None, 200),
        ("GET", rule, None, 200),
        ("GET", "/lists", None, 200),
        ("GET", "/lists/blocked/entries", None, 200),
        ("POST", "/lists/blocked/entries", entries, 201),
        ("POST", "/lists/blocked/entries/remove", {"values": ["C1"]}, 200),
        ("POST", f"{rule}/snoozes", snooze, 201),
        ("DELETE", f"{rule}/snoozes/9999", None, 404),
    ]
    reviewer, scorer = (Caller(system, tenant, scope) for scope in ("review", "score"))
    for method, path, body in by_admin:
        assert "scope admin" in refused(reviewer.ask(method, path, body), 403)["detail"]
        refused(scorer.ask(method, path, body), 403)
    for method, path, body, status in by_reviewer:
        refused(scorer.ask(method, path, body), 403)
        assert reviewer.ask(method, path, body).status_code == status, f"{method} {path}"
        assert system.service.client.request(method, path, json=body).status_code == 401


def test_a_repeated_change_is_made_once(
    admin: Caller, make_rule: Callable[..., dict[str, Any]]
) -> None:
    rule = make_rule(state="off")
    path = f"/rules/{rule['id']}"
    snooze = {"entity": "account", "value": "C1", "until": LATER, "reason": "known"}
    changes: list[tuple[str, str, Any, int]] = [
        ("POST", "/rules", {"name": "once", "condition": "amount > 1", "action": "review"}, 201),
        ("PUT", path, {"version": 1, "priority": 7}, 200),
        ("POST", f"{path}/snoozes", snooze, 201),
        ("POST", "/lists", {"name": "once", "entity": "account", "action": "decline"}, 201),
        ("POST", "/lists/once/entries", {"entries": [{"value": "C1", "reason": "a"}]}, 201),
        ("POST", "/lists/once/entries/remove", {"values": ["C1"]}, 200),
        ("DELETE", "/lists/once", None, 200),
    ]
    for method, where, body, status in changes:
        key = f"{method}-{where}-{rule['id']}".replace("/", "-")
        first, second = (admin.ask(method, where, body, Idempotency_Key=key) for _ in range(2))
        assert (first.status_code, second.status_code) == (status, status), first.text
        assert second.json() == first.json()
        assert "Idempotent-Replayed" not in first.headers
        assert second.headers["Idempotent-Replayed"] == "true"
    assert len(admin.reads(path)["versions"]) == 2
    assert len(admin.reads(path)["snoozes"]) == 1
    another = {"name": "another", "condition": "amount > 1", "action": "review"}
    key = f"POST--rules-{rule['id']}"
    assert admin.ask("POST", "/rules", another, Idempotency_Key=key).status_code == 422


def test_case_queue_and_explanation_show_what_decided(
    admin: Caller, make_rule: Callable[..., dict[str, Any]]
) -> None:
    admin.makes("/lists", name="blocked", entity="account", action="decline")
    admin.makes("/lists/blocked/entries", entries=[{"value": "C-queue", "reason": "stolen"}])
    review = make_rule(condition="amount == 4242.0", action="review")
    declined, reviewed = admin.scores(nameOrig="C-queue"), admin.scores(amount=4242.0)
    assert [declined["decision"], reviewed["decision"]] == ["decline", "review"]
    decider = ("decided_by", "rules", "list_entries", "decline_threshold")
    for reply in (declined, reviewed):
        case = admin.reads(f"/transactions/{reply['transaction_id']}")
        asked = {"prediction_id": reply["prediction_id"]}
        explained = admin.ask("POST", "/explain", asked).json()
        for name in decider:
            assert case["prediction"][name] == explained[name] == reply[name]
        (found,) = [
            item
            for item in admin.reads(f"/queue?decision={reply['decision']}&limit=200")["items"]
            if item["transaction_id"] == reply["transaction_id"]
        ]
        assert found["decided_by"] == reply["decided_by"]
    assert reviewed["decided_by"] == by_rule(review)


def test_the_audit_log_shows_who_changed_what(
    system: System, admin: Caller, make_rule: Callable[..., dict[str, Any]]
) -> None:
    rule = make_rule(state="off")
    admin.ask("PUT", f"/rules/{rule['id']}", {"version": 1, "priority": 3})
    versions = admin.reads(f"/audit?object=rules/{rule['id']}")["items"]
    assert [entry["action"] for entry in versions] == ["rule.changed", "rule.created"]
    assert {entry["via"] for entry in versions} == {admin.name}
    assert [versions[0][side]["priority"] for side in ("before", "after")] == [100, 3]
    admin.makes("/lists", name="audited", entity="account")
    reviewer = Caller(system, find_tenant(system.engine, "demo"), "review")
    reviewer.makes("/lists/audited/entries", entries=[{"value": "C5", "reason": "three reports"}])
    added, made = admin.reads("/audit?object=lists/audited")["items"]
    assert (made["action"], made["via"]) == ("list.created", admin.name)
    assert (added["action"], added["via"]) == ("list_entries.created", reviewer.name)
    assert (added["after"]["value"], added["after"]["reason"]) == ("C5", "three reports")


def test_metrics_count_what_decided_and_what_fired(
    system: System, admin: Caller, make_rule: Callable[..., dict[str, Any]]
) -> None:
    def counted() -> dict[tuple[str, str], float]:
        text = system.service.client.get("/metrics").text
        return {
            (s.name, s.labels.get("kind", s.labels.get("result", ""))): s.value
            for family in text_string_to_metric_families(text)
            for s in family.samples
            if s.name in COUNTERS and s.labels["model"] == system.model
        }

    make_rule(condition="amount == 777.0")
    make_rule(condition="amount == 777.0", state="shadow")
    admin.makes("/lists", name="blocked", entity="account", action="decline")
    admin.makes("/lists/blocked/entries", entries=[{"value": "C-metric", "reason": "stolen"}])
    admin.scores()
    before = counted()
    admin.scores(amount=777.0)
    admin.scores(nameDest="C-metric")
    admin.scores(amount=778.0)
    decided_by, results, matches = COUNTERS
    more = {
        (decided_by, "model"): 1.0,
        (decided_by, "rule"): 1.0,
        (decided_by, "list_entry"): 1.0,
        (results, "fired"): 1.0,
        (results, "shadow"): 1.0,
        (matches, ""): 1.0,
    }

    def grown() -> dict[tuple[str, str], float]:
        now = counted()
        return {name: d for name in now if (d := now[name] - before.get(name, 0.0))}

    system.service.child.wait_until(lambda: grown() == more, 5)
