"""Every route that changes something makes the change once for an Idempotency-Key."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from sqlalchemy import Engine

from persistence.decisions.rows import Decided
from persistence.tenants import Tenant
from tests.support.data.review import decide, store
from tests.support.fixture_types import MakeTenant, Rows
from tests.support.management_api import Request, connected

FEEDBACK = {"label": "escalated", "rationale": "seen"}
FRAUD = {"label": "fraud", "source": "customer"}


@pytest.fixture
def request_(service_engine: Engine) -> Iterator[Request]:
    with connected(service_engine) as request:
        yield request


@pytest.fixture
def tenant(make_tenant: MakeTenant) -> Tenant:
    return make_tenant()


@pytest.fixture
def decision(service_engine: Engine, tenant: Tenant) -> Decided:
    decided = decide(tenant)
    store(service_engine, decided)
    return decided


def changes(decision: Decided) -> list[tuple[str, str, Any]]:
    """Every change that a route makes, each different from what is in force."""
    label = {"transaction_id": str(decision.transaction_id), **FRAUD}
    return [
        ("POST", f"/transactions/{decision.transaction_id}/feedback", FEEDBACK),
        ("PUT", "/policy", {"threshold": 0.2}),
        ("DELETE", "/policy", None),
        (
            "POST",
            "/labels",
            {"labels": [label]},
        ),
    ]


@pytest.mark.parametrize("which", range(4))
def test_a_repeated_change_is_made_once_and_returns_the_first_reply(
    request_: Request, tenant: Tenant, decision: Decided, rows: Rows, which: int
) -> None:
    request_(tenant.id, "PUT", "/policy", {"threshold": 0.4})
    change = changes(decision)[which]
    plain = request_(tenant.id, *change) if which in {1, 2} else None
    request_(tenant.id, "PUT", "/policy", {"threshold": 0.4})
    first = request_(tenant.id, *change, Idempotency_Key="key-1")
    assert first.is_success, first.text
    assert "idempotent-replayed" not in first.headers
    assert plain is None or plain.json()["threshold"] == first.json()["threshold"]
    # What happens in between does not change the reply.
    request_(tenant.id, "PUT", "/policy", {"threshold": 0.3})
    count = "SELECT (SELECT count(*) FROM policies) + (SELECT count(*) FROM labels) AS n"
    before = rows(count)
    for _ in range(2):
        again = request_(tenant.id, *change, Idempotency_Key="key-1")
        assert (again.status_code, again.content) == (first.status_code, first.content)
        assert again.headers["idempotent-replayed"] == "true"
        assert again.headers["content-type"] == "application/json"
    assert rows(count) == before
    assert rows("SELECT policy->>'threshold' AS t FROM policies ORDER BY id DESC LIMIT 1") == [
        {"t": "0.3"}
    ]


def test_another_request_under_the_key_is_422_and_changes_nothing(
    request_: Request, tenant: Tenant, decision: Decided, service_engine: Engine, rows: Rows
) -> None:
    other = decide(tenant)
    store(service_engine, other)
    first = request_(tenant.id, *changes(decision)[0], Idempotency_Key="key-1")
    assert first.status_code == 201
    for change in (
        ("POST", f"/transactions/{other.transaction_id}/feedback", FEEDBACK),
        ("POST", changes(decision)[0][1], FEEDBACK | {"rationale": "other"}),
        *changes(decision)[1:],
    ):
        reply = request_(tenant.id, *change, Idempotency_Key="key-1")
        assert reply.status_code == 422
        assert reply.json()["type"] == "urn:sentinel:problem:idempotency-mismatch"
    assert rows("SELECT count(*) FROM feedback") == [{"count": 1}]
    assert rows("SELECT count(*) FROM policies") == [{"count": 0}]


def test_the_same_body_with_other_spaces_and_order_is_the_same_request(
    request_: Request, tenant: Tenant, decision: Decided
) -> None:
    _, path, _ = changes(decision)[0]
    bodies = [
        b'{"label":"escalated","rationale":"seen"}',
        b' { "rationale" : "seen", "label":"escalated" } ',
    ]
    first, again = (request_(tenant.id, "POST", path, b, Idempotency_Key="key-1") for b in bodies)
    assert first.content == again.content


def test_a_key_in_flight_is_409_and_free_again_when_the_first_is_gone(
    request_: Request, tenant: Tenant, decision: Decided, database: str
) -> None:
    with psycopg.connect(database) as session:
        session.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended('request key-1', %s))", [tenant.id]
        )
        for change in changes(decision):
            reply = request_(tenant.id, *change, Idempotency_Key="key-1")
            assert reply.status_code == 409
            assert "key-1" in reply.json()["detail"]
        session.rollback()
    assert request_(tenant.id, *changes(decision)[1], Idempotency_Key="key-1").status_code == 200


def test_a_change_that_fails_keeps_no_reply(
    request_: Request, tenant: Tenant, service_engine: Engine
) -> None:
    later = decide(tenant)
    path = f"/transactions/{later.transaction_id}/feedback"
    assert request_(tenant.id, "POST", path, FEEDBACK, Idempotency_Key="k").status_code == 404
    assert request_(tenant.id, "POST", path, {}, Idempotency_Key="k").status_code == 422
    store(service_engine, later)
    reply = request_(tenant.id, "POST", path, FEEDBACK, Idempotency_Key="k")
    assert reply.status_code == 201
    assert "idempotent-replayed" not in reply.headers


def test_tenants_have_their_own_keys(request_: Request, make_tenant: MakeTenant) -> None:
    replies = [
        request_(make_tenant(slug).id, "PUT", "/policy", {"threshold": t}, Idempotency_Key="same")
        for slug, t in (("mine", 0.2), ("other", 0.3))
    ]
    assert [reply.json()["threshold"] for reply in replies] == [0.2, 0.3]
    assert not any("idempotent-replayed" in reply.headers for reply in replies)


@pytest.mark.parametrize("key", ["", "a b", "a\tb", "x" * 129, "\u00e9"])
def test_a_bad_key_is_422_and_changes_nothing(
    request_: Request, tenant: Tenant, decision: Decided, rows: Rows, key: str
) -> None:
    for change in changes(decision):
        reply = request_(tenant.id, *change, Idempotency_Key=key)
        assert reply.status_code == 422
        assert [error["field"] for error in reply.json()["errors"]] == ["Idempotency-Key"]
    assert rows("SELECT count(*) FROM policies") == [{"count": 0}]


def test_without_a_key_a_change_is_made_each_time(
    request_: Request, tenant: Tenant, decision: Decided, rows: Rows
) -> None:
    for _ in range(2):
        assert request_(tenant.id, *changes(decision)[0]).status_code == 201
    assert rows("SELECT count(*) FROM feedback") == [{"count": 2}]
    assert rows("SELECT count(*) FROM idempotent_requests") == [{"count": 0}]
