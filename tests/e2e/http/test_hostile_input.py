"""Every route takes hostile values of every kind without a 500, and says what is wrong."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from app.management import CONSOLE
from console.access import COOKIE, csrf_token
from persistence.actor import Actor
from persistence.api_keys import SCOPES, issue_key
from persistence.deployments.recording import record_promotions
from persistence.people.links import create_link, use_link
from persistence.tenants import create_tenant
from scoring.prediction import ModelVersion
from tests.support.data.people import put_person
from tests.support.factories import a_body, a_model
from tests.support.stack import KEY_SECRET
from tests.support.system import System

PROBLEM = "application/problem+json"
VALUES = [
    *(
        "",
        "\0",
        "a\0b",
        "é\u202e",
        "9" * 400,
        "-1",
        "0",
        "1e400",
        "nan",
        "\N{FULLWIDTH DIGIT NINE}",
        "²",
        "A" * 1000,
    ),
    *(
        "9223372036854775808",
        "9999-12-31T23:59:59-14:00",
        "0001-01-01T00:00:00+14:00",
        "2026-02-30",
    ),
    *("' OR 1=1 --", "../../etc/passwd", "<script>", "%", "[]", "{}", "\r\nX: y", "=1+1"),
]
NESTED = b"[" * 30_000
RAW = ("%ED%A0%80", "%FF", "%00", "%zz")
"""Percent-encoded bytes that are no text."""


@pytest.fixture(scope="module")
def system(shared_system: System) -> System:
    """The service that several modules share."""
    return shared_system


class Bank:
    """A tenant of the module's own, with a key of every scope and a session of every role."""

    def __init__(self, system: System) -> None:
        tenant = create_tenant(system.engine, "hostile", "fraud-hostile")
        version = ModelVersion(tenant.model_name, 1)
        record_promotions(system.engine, [tenant.id], a_model(version=version))
        self.system = system
        self.key = issue_key(system.engine, tenant.id, SCOPES, KEY_SECRET)
        self.sessions = []
        for role in ("analyst", "senior", "admin"):
            person = put_person(system.engine, tenant, role.title(), role)  # type: ignore[arg-type]
            link = create_link(system.engine, person, "sign_in", actor=Actor("tests"))
            self.sessions.append(use_link(system.engine, link))

    def ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        reply = self.system.service.client.request(method, path, **more)
        shown = f"{method} {path[:200]} {str(more)[:500]}"
        assert reply.status_code < 500, shown
        is_page = reply.headers.get("content-type", "").startswith("text/html")
        if reply.status_code >= 400 and not (is_page and path.startswith("/console")):
            assert reply.headers["content-type"] == PROBLEM, shown
            assert reply.json()["detail"], shown
        return reply


@pytest.fixture(scope="module")
def bank(system: System) -> Bank:
    return Bank(system)


@pytest.fixture(autouse=True)
def _the_service_is_alive(system: System) -> Iterator[None]:
    yield
    assert system.service.client.get("/readyz").status_code == 200
    assert system.score(a_body()).status_code == 200


def filled(path: str, value: str) -> str:
    return re.sub(r"\{[^}]+\}", quote(value, safe=""), path)


def test_every_route_of_the_api_takes_hostile_values(system: System, bank: Bank) -> None:
    document = system.service.client.get("/openapi.json").json()
    headers = {"Authorization": f"Bearer {bank.key}", "Content-Type": "application/json"}
    asked = 0
    for path, item in document["paths"].items():
        for method, operation in item.items():
            names = [one["name"] for one in operation.get("parameters", []) if one["in"] == "query"]
            for number, value in enumerate(VALUES[asked % 3 :: 3]):
                if not (names or "{" in path or "requestBody" in operation):
                    continue
                query = "&".join(f"{name}={quote(value, safe='')}" for name in names)
                more: dict[str, Any] = {"headers": headers}
                if "requestBody" in operation:
                    body: Any = [dict.fromkeys(BODY_NAMES, value), [value], value][number % 3]
                    more["content"] = json.dumps(body).encode()
                bank.ask(method.upper(), f"{filled(path, value)}?{query}", **more)
                asked += 1
            for raw in RAW:
                query = "&".join(f"{name}={raw}" for name in names)
                bank.ask(
                    method.upper(), f"{re.sub(r'{[^}]+}', raw, path)}?{query}", headers=headers
                )
            if "requestBody" in operation:
                for broken in (NESTED, b"\xef\xbb\xbf", b'"\xff"', b"9" * 5_000, b'{"a":1,"a":2}'):
                    bank.ask(method.upper(), filled(path, "1"), headers=headers, content=broken)
    assert asked > 200


BODY_NAMES = (
    *("name", "fields", "amount", "type", "transactions", "transaction", "prediction_id"),
    *("labels", "label", "rationale", "condition", "action", "state", "version", "threshold"),
    *("entries", "values", "value", "until", "entity", "reason", "external_id", "rule"),
)


@pytest.mark.parametrize("role", [0, 1, 2, None])
def test_every_page_and_form_of_the_console_takes_hostile_values(
    bank: Bank, role: int | None
) -> None:
    token = None if role is None else bank.sessions[role]
    headers = {"Cookie": f"{COOKIE}={token}"} if token else {}
    csrf = csrf_token(token) if token else ""
    chosen = VALUES[1::3] if role == 2 else VALUES[1:3]
    routes = [(r.path, m) for router in CONSOLE for r in router.routes for m in r.methods]  # type: ignore[attr-defined]
    assert len(routes) > 80
    for path, method in routes:
        if path.endswith("sign-out"):
            continue
        for value in chosen:
            fields = dict.fromkeys(FORM_NAMES, value)
            there = filled(path, value)
            if method == "GET":
                bank.ask("GET", there, headers=headers, params=fields)
            else:
                # Kept out of the number of sign-ins that one address may fail.
                data = fields if "sign-in" not in path else {"email": value, "organisation": "x"}
                bank.ask("POST", there, headers=headers, data={**data, "csrf": csrf})


FORM_NAMES = (
    *(
        "name",
        "email",
        "role",
        "reason",
        "value",
        "entity",
        "key",
        "days",
        "list",
        "change",
        "item",
    ),
    *(
        "condition",
        "action",
        "state",
        "version",
        "priority",
        "cursor",
        "amount_min",
        "range",
        "from",
    ),
    *(
        "review_from",
        "decline_from",
        "window_days",
        "as_of",
        "note",
        "title",
        "due_on",
        "q",
        "text",
    ),
    *(
        "transaction_id",
        "label",
        "rationale",
        "seen",
        "language",
        "scopes",
        "zone",
        "after",
        "next",
    ),
)


@pytest.mark.parametrize("origin", ["http://[", "http://[::1", "//", "null", "http://a:b"])
def test_a_malformed_origin_is_of_another_site(bank: Bank, origin: str) -> None:
    headers = {"Cookie": f"{COOKIE}={bank.sessions[0]}", "Origin": origin}
    reply = bank.ask("POST", "/console/settings/language", headers=headers, data={"csrf": "x"})
    assert reply.status_code == 403


@pytest.mark.parametrize("charset", ["unicode_escape", "raw_unicode_escape", "idna", "nonsense"])
def test_a_form_in_another_charset_is_refused_before_it_is_read(bank: Bank, charset: str) -> None:
    headers = {
        "Cookie": f"{COOKIE}={bank.sessions[2]}",
        "Content-Type": f"multipart/form-data; boundary=b; charset={charset}",
    }
    for name in ("csrf", "title"):
        part = f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n\\ud800\r\n--b--\r\n'
        with_token = headers | (
            {} if name == "csrf" else {"X-CSRF-Token": csrf_token(bank.sessions[2])}
        )
        reply = bank.ask("POST", "/console/cases/new", headers=with_token, content=part.encode())
        assert reply.status_code == 415
