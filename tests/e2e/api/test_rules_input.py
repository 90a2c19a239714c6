"""Rules, lists, entries and snoozes that are not valid are refused by field, and leave nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from persistence.tenants import find_tenant
from tests.support.review_client import PROBLEM, refused
from tests.support.rules_client import Caller
from tests.support.system import System

LATER = "2030-01-31T12:00:00Z"
TABLES = ("rule_changes", "rules", "rule_snoozes", "lists", "list_entries", "idempotency_keys")
RULE = {"name": "large", "condition": "amount > 1000", "action": "review"}
LIST = {"name": "others", "entity": "account", "action": "decline"}
ENTRY = {"value": "C1", "reason": "chargebacks"}
SNOOZE = {"entity": "account", "value": "C1", "until": LATER, "reason": "sells a house"}


@pytest.fixture(scope="module")
def admin(system: System) -> Caller:
    """An administrator of a tenant with rule 1 and the list `blocked`."""
    admin = Caller(system, find_tenant(system.engine, "demo"), "admin", "review")
    admin.makes("/lists", name="blocked", entity="account", action="decline")
    admin.makes("/rules", name="first", condition="amount > 10", action="review")
    return admin


def entries(*changed: dict[str, Any]) -> dict[str, Any]:
    return {"entries": [ENTRY | changes for changes in changed]}


RULES_REFUSED: list[tuple[dict[str, Any], tuple[str, ...]]] = [
    ({"name": None}, ("name",)),
    ({"name": ""}, ("name",)),
    ({"name": " "}, ("name",)),
    ({"name": "x" * 101}, ("name",)),
    ({"name": "a\u0000b"}, ("name",)),
    ({"name": 7}, ("name",)),
    ({"name": "first"}, ("name",)),
    ({"condition": ""}, ("condition",)),
    ({"condition": 1}, ("condition",)),
    ({"condition": "amount"}, ("condition",)),
    ({"condition": "amount > "}, ("condition",)),
    ({"condition": "amount > 1\u0000"}, ("condition",)),
    ({"condition": "\n\namount > 1 or\n nobody > 2"}, ("condition",)),
    ({"condition": "(" * 2000 + "amount > 1" + ")" * 2000}, ("condition",)),
    ({"condition": "amount > 1" + " and amount > 1" * 700}, ("condition",)),
    ({"condition": "amount > 1" + " " * 10_000}, ("condition",)),
    ({"condition": "nobody > 2"}, ("condition",)),
    ({"condition": "__import__('os')"}, ("condition",)),
    ({"condition": "in_list('nowhere', nameOrig)"}, ("condition",)),
    ({"condition": "in_list('blocked', type)"}, ("condition",)),
    ({"condition": "feature('nothing') > 1"}, ("condition",)),
    ({"action": "deny"}, ("action",)),
    ({"action": None}, ("action",)),
    ({"state": "on"}, ("state",)),
    ({"priority": -1}, ("priority",)),
    ({"priority": 10_001}, ("priority",)),
    ({"priority": "1"}, ("priority",)),
    ({"priority": 1.5}, ("priority",)),
    ({"id": 5}, ("id",)),
]
LISTS_REFUSED: list[tuple[dict[str, Any], tuple[str, ...]]] = [
    ({"name": "Not A Slug"}, ("name",)),
    ({"name": "x" * 200}, ("name",)),
    ({"name": None}, ("name",)),
    ({"name": "blocked"}, ("name",)),
    ({"entity": "customer"}, ("entity",)),
    ({"entity": ""}, ("entity",)),
    ({"entity": "a\u0000"}, ("entity",)),
    ({"action": "review"}, ("action",)),
    ({"fields": []}, ("fields",)),
    ({"fields": ["amount"]}, ("fields.0",)),
    ({"fields": ["nameOrig", "nobody"]}, ("fields.1",)),
    ({"fields": ["nameOrig", "nameOrig"]}, ("fields.1",)),
    ({"fields": "nameOrig"}, ("fields",)),
    ({"fields": ["nameOrig"], "action": None}, ("fields",)),
    ({"entries": []}, ("entries",)),
]
ENTRIES_REFUSED: list[tuple[dict[str, Any], tuple[str, ...]]] = [
    ({}, ("entries",)),
    ({"entries": []}, ("entries",)),
    (entries(*[{"value": f"C{i}"} for i in range(1001)]), ("entries",)),
    (entries({}, {"value": ""}), ("entries.1.value",)),
    (entries({}, {"value": 5}), ("entries.1.value",)),
    (entries({}, {"value": "x" * 300}), ("entries.1.value",)),
    (entries({}, {"value": "a\u0000b"}), ("entries.1.value",)),
    (entries({}, {"value": " C1"}), ("entries.1.value",)),
    (entries({}, {"value": "C1\n"}), ("entries.1.value",)),
    (entries({}, {"reason": "  "}), ("entries.1.reason",)),
    (entries({}, {"reason": ""}), ("entries.1.reason",)),
    (entries({}, {"reason": "a\u0000b"}), ("entries.1.reason",)),
    (entries({}, {"reason": "x" * 501}), ("entries.1.reason",)),
    (entries({}, {"expires_at": "tomorrow"}), ("entries.1.expires_at",)),
    (entries({}, {"expires_at": "2030-01-31T12:00:00"}), ("entries.1.expires_at",)),
    (entries({}, {"expires_at": "2020-01-31T12:00:00Z"}), ("entries.1.expires_at",)),
    (entries({}, {"expires_at": 1_900_000_000}), ("entries.1.expires_at",)),
    (entries({}, {"expires_at": "9999-12-31T23:00:00-12:00"}), ("entries.1.expires_at",)),
    (entries({}, {"expires_at": "0001-01-01T00:00:00+12:00"}), ("entries.1.expires_at",)),
    (entries({"list": "other"}), ("entries.0.list",)),
]
SNOOZES_REFUSED: list[tuple[dict[str, Any], tuple[str, ...]]] = [
    ({"entity": "customer"}, ("entity",)),
    ({"entity": "a\u0000"}, ("entity",)),
    ({"value": ""}, ("value",)),
    ({"value": "a\u0000b"}, ("value",)),
    ({"reason": ""}, ("reason",)),
    ({"reason": "a\u0000b"}, ("reason",)),
    ({"until": None}, ("until",)),
    ({"until": "2020-01-31T12:00:00Z"}, ("until",)),
    ({"until": "2030-01-31T12:00:00"}, ("until",)),
    ({"until": "9999-12-31T23:00:00-12:00"}, ("until",)),
    ({"until": 4_000_000_000}, ("until",)),
    ({"rule": 1}, ("rule",)),
]
CHANGES_REFUSED: list[tuple[dict[str, Any], tuple[str, ...]]] = [
    ({"version": 1}, ("body",)),
    ({"state": "live"}, ("version",)),
    ({"version": 2, "state": "live"}, ("version",)),
    ({"version": 0, "state": "live"}, ("version",)),
    ({"version": "1", "state": "live"}, ("version",)),
    ({"version": 1, "state": "on"}, ("state",)),
    ({"version": 1, "condition": "nobody > 1"}, ("condition",)),
    ({"version": 1, "actor": "somebody"}, ("actor",)),
]
REMOVALS_REFUSED: list[tuple[dict[str, Any], tuple[str, ...]]] = [
    ({"values": []}, ("values",)),
    ({"values": ["C1", 5]}, ("values.1",)),
    ({"values": ["C1", "a\u0000b"]}, ("values.1",)),
    ({"values": "C1"}, ("values",)),
]
CASES = [
    *(("POST", "/rules", RULE | changes, fields) for changes, fields in RULES_REFUSED),
    *(("POST", "/lists", LIST | changes, fields) for changes, fields in LISTS_REFUSED),
    *(("POST", "/lists/blocked/entries", body, fields) for body, fields in ENTRIES_REFUSED),
    *(("POST", "/rules/1/snoozes", SNOOZE | one, fields) for one, fields in SNOOZES_REFUSED),
    *(("PUT", "/rules/1", body, fields) for body, fields in CHANGES_REFUSED),
    *(("POST", "/lists/blocked/entries/remove", one, fields) for one, fields in REMOVALS_REFUSED),
]


@pytest.mark.parametrize(("method", "path", "body", "fields"), CASES)
def test_a_body_that_is_not_valid_is_422_with_its_field_and_leaves_nothing(
    system: System, admin: Caller, method: str, path: str, body: Any, fields: tuple[str, ...]
) -> None:
    before = [system.count(table) for table in (*TABLES, "audit_log")]
    refused(admin.ask(method, path, body), 422, *fields)
    assert [system.count(table) for table in (*TABLES, "audit_log")] == before


@pytest.mark.parametrize(
    ("path", "document"),
    [
        ("/rules", RULE),
        ("/lists", LIST),
        ("/lists/blocked/entries", entries({})),
        ("/lists/blocked/entries/remove", {"values": ["C1"]}),
        ("/rules/1/snoozes", SNOOZE),
    ],
)
def test_what_is_not_json_is_422_and_leaves_nothing(
    system: System, admin: Caller, path: str, document: dict[str, Any]
) -> None:
    name = next(iter(document)).encode()
    bodies = (
        b"",
        b"{",
        b"[]",
        b"null",
        b'"\xff"',
        b'{"' + name + b'":"\xff"}',
        b'{"' + name + b'":"\\ud800"}',
        b'{"' + name + b'":1,"' + name + b'":2}',
    )
    before = [system.count(table) for table in TABLES]
    for body in bodies:
        reply = system.service.client.post(path, content=body, headers=admin.headers)
        assert (reply.status_code, reply.headers["content-type"]) == (422, PROBLEM), reply.text
    assert [system.count(table) for table in TABLES] == before


def test_a_condition_that_is_wrong_is_shown_with_its_column(admin: Caller) -> None:
    wrong = RULE | {"condition": "amount > 1000 and amout < 5"}
    problem = refused(admin.ask("POST", "/rules", wrong), 422, "condition")
    assert "at column 19, `amout`" in problem["detail"]
    assert "at column 19, `amout`" in problem["errors"][0]["message"]
    problem = refused(admin.ask("POST", "/rules", RULE | {"condition": "amount"}), 422, "condition")
    assert "at column 1, `amount`" in problem["detail"]


def test_the_names_and_ids_of_nothing_are_404(admin: Caller) -> None:
    for method, path, body in (
        ("GET", "/rules/99", None),
        ("PUT", "/rules/99", {"version": 1, "state": "live"}),
        ("POST", "/rules/99/snoozes", SNOOZE),
        ("DELETE", "/rules/1/snoozes/99", None),
        ("DELETE", "/lists/nothing", None),
        ("GET", "/lists/nothing/entries", None),
        ("POST", "/lists/nothing/entries", entries({})),
        ("POST", "/lists/nothing/entries/remove", {"values": ["C1"]}),
    ):
        refused(admin.ask(method, path, body), 404)
    refused(admin.ask("GET", "/rules/0"), 422, "id")
    refused(admin.ask("GET", f"/rules/{2**31}"), 422, "id")
    refused(admin.ask("GET", "/rules/one"), 404)
    refused(admin.ask("DELETE", "/lists/Not-A-Slug%20"), 422, "name")


def test_the_query_of_entries_is_checked(admin: Caller) -> None:
    values = [{"value": f"Q{i}"} for i in range(3)]
    admin.ask("POST", "/lists/blocked/entries", entries(*values))
    page = admin.reads("/lists/blocked/entries?limit=2")
    assert len(page["items"]) == 2
    cursor = page["next_cursor"]
    assert len(admin.reads(f"/lists/blocked/entries?limit=2&cursor={cursor}")["items"]) == 1
    for query, field in (
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("page=2", "page"),
        ("cursor=x", "cursor"),
        (f"cursor={cursor}&value=Q1", "cursor"),
        (f"value={'x' * 300}", "value"),
    ):
        refused(admin.ask("GET", f"/lists/blocked/entries?{query}"), 422, field)
    assert admin.reads("/lists/blocked/entries?value=a%00b")["items"] == []


def test_an_hour_from_now_is_later_and_a_second_ago_is_not(admin: Caller) -> None:
    for offset, status in ((timedelta(hours=1), 201), (timedelta(seconds=-1), 422)):
        until = (datetime.now(UTC) + offset).isoformat()
        assert (
            admin.ask("POST", "/rules/1/snoozes", SNOOZE | {"until": until}).status_code == status
        )
