"""GET and PUT /event-type: what is in force, what is refused, repeats, scopes and tenants."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from sqlalchemy import Engine

from app.openapi import document
from persistence.tenants import Tenant
from scoring.event_type.document import to_document
from tests.support.event_types import an_event, an_event_type
from tests.support.fixture_types import MakeTenant, Rows
from tests.support.management_api import ACTOR, Request, connected

CARDS = to_document(an_event_type())
WITH_NOTE = to_document(an_event_type(NOTE={"kind": "text", "optional": True}))
WITHOUT_CHANNEL = to_document(an_event_type(CHANNEL=None))


@pytest.fixture
def refreshed() -> list[int]:
    """Tenants whose settings were read again."""
    return []


@pytest.fixture
def request_(service_engine: Engine, refreshed: list[int]) -> Iterator[Request]:
    with connected(service_engine, refreshed.append) as request:
        yield request


@pytest.fixture
def tenant(make_tenant: MakeTenant) -> Tenant:
    return make_tenant()


def put(request: Request, tenant: Tenant, body: Any, query: str = "", **headers: str) -> Any:
    return request(tenant.id, "PUT", f"/event-type{query}", body, **headers)


def get(request: Request, tenant: Tenant) -> Any:
    return request(tenant.id, "GET", "/event-type").json()


def fields(reply: Any) -> list[str]:
    return [error["field"] for error in reply.json()["errors"]]


def test_without_one_of_its_own_a_tenant_sends_paysims(request_: Request, tenant: Tenant) -> None:
    reply = get(request_, tenant)
    assert (reply["name"], reply["version"]) == ("paysim", 0)
    assert reply["fields"]["amount"] == {"kind": "number", "role": "amount", "min": 0, "max": 1e12}


def test_the_version_that_is_put_is_in_force(
    request_: Request, tenant: Tenant, refreshed: list[int]
) -> None:
    reply = put(request_, tenant, CARDS)
    assert reply.status_code == 200
    assert (reply.json()["version"], reply.json()["actor"]) == (1, ACTOR)
    assert reply.json()["changes"] == []
    assert refreshed == [tenant.id]
    found = get(request_, tenant)
    assert {name: found[name] for name in CARDS} == CARDS
    Draft202012Validator(found["json_schema"]).validate(an_event())


def test_the_change_is_described(request_: Request, tenant: Tenant) -> None:
    put(request_, tenant, CARDS)
    reply = put(request_, tenant, WITH_NOTE).json()
    assert reply["version"] == 2
    assert [(c["field"], c["what"], c["is_compatible"]) for c in reply["changes"]] == [
        ("NOTE", "added", True)
    ]


def test_what_get_or_put_replies_can_be_put_again(request_: Request, tenant: Tenant) -> None:
    for reply in (put(request_, tenant, CARDS).json(), get(request_, tenant)):
        again = put(request_, tenant, {name: reply[name] for name in CARDS})
        assert (again.status_code, again.json()["version"]) == (200, 1)


def test_an_incompatible_change_is_refused_with_a_sentence_for_each_field(
    request_: Request, tenant: Tenant
) -> None:
    put(request_, tenant, CARDS)
    reply = put(request_, tenant, WITHOUT_CHANNEL)
    assert reply.status_code == 422
    assert reply.json()["type"].endswith("incompatible-event-type")
    assert fields(reply) == ["fields.CHANNEL"]
    assert "CHANNEL is removed" in reply.json()["detail"]
    assert get(request_, tenant)["version"] == 1


def test_it_replaces_the_one_in_force_if_that_is_wanted(request_: Request, tenant: Tenant) -> None:
    put(request_, tenant, CARDS)
    reply = put(request_, tenant, WITHOUT_CHANNEL, "?replace=true")
    assert reply.status_code == 200
    assert [change["is_compatible"] for change in reply.json()["changes"]] == [False]
    assert "CHANNEL" not in get(request_, tenant)["fields"]


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({}, {"name", "fields"}),
        ({"name": "Card Payment", "fields": {"a": {"kind": "number"}}}, {"name"}),
        (CARDS | {"fields": {"a": {"kind": "money"}}}, {"fields.a.kind"}),
        (CARDS | {"fields": {"a": {"kind": "number", "rolle": "amount"}}}, {"fields.a.rolle"}),
        (CARDS | {"fields": {"a": {"kind": "entity"}}}, {"fields.a.entity"}),
        (CARDS | {"labels": "x"}, {"labels"}),
    ],
)
def test_a_document_that_is_not_valid_is_refused_and_each_fault_is_named(
    request_: Request, tenant: Tenant, body: Any, named: set[str]
) -> None:
    reply = put(request_, tenant, body)
    assert reply.status_code == 422
    assert set(fields(reply)) == named
    assert reply.headers["content-type"] == "application/problem+json"
    assert get(request_, tenant)["version"] == 0


def test_a_field_that_is_given_twice_is_refused(request_: Request, tenant: Tenant) -> None:
    body = b'{"name": "cards", "fields": {"a": {"kind": "number"}, "a": {"kind": "text"}}}'
    reply = put(request_, tenant, body)
    assert reply.status_code == 422
    assert fields(reply) == ["fields.a"]


def test_a_repeated_request_changes_nothing(request_: Request, tenant: Tenant, rows: Rows) -> None:
    first = put(request_, tenant, CARDS, idempotency_key="change-1")
    put(request_, tenant, WITH_NOTE)
    again = put(request_, tenant, CARDS, idempotency_key="change-1")
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.json() == first.json()
    other = put(request_, tenant, WITH_NOTE, idempotency_key="change-1")
    assert other.json()["type"].endswith("idempotency-mismatch")
    assert [row["version"] for row in rows("SELECT version FROM event_types ORDER BY id")] == [1, 2]


def test_nobody_reads_or_changes_it_without_a_key(request_: Request) -> None:
    assert request_(0, "GET", "/event-type").status_code == 401
    assert request_(0, "PUT", "/event-type", CARDS).status_code == 401


def test_each_tenant_has_its_own(
    request_: Request, tenant: Tenant, make_tenant: MakeTenant
) -> None:
    put(request_, tenant, CARDS)
    assert get(request_, make_tenant("other"))["name"] == "paysim"


def test_the_openapi_document_describes_the_body_of_the_tenant_whose_key_it_is_read_with(
    request_: Request, tenant: Tenant, make_tenant: MakeTenant
) -> None:
    put(request_, tenant, CARDS)
    own = request_(tenant.id, "GET", "/openapi.json")
    assert own.headers["vary"] == "Authorization"
    described = own.json()
    schemas = described["components"]["schemas"]
    schema = schemas["TransactionIn"]
    validator = Draft202012Validator(schema)
    validator.validate(an_event())
    assert not validator.is_valid(an_event(amount=1.0))
    assert schemas["BatchRequest"]["properties"]["transactions"]["items"] == {
        "$ref": "#/components/schemas/TransactionIn"
    }
    of_paysim = request_(make_tenant("another").id, "GET", "/openapi.json")
    assert of_paysim.content == document()


def test_the_openapi_document_refuses_a_wrong_key(request_: Request) -> None:
    assert request_(0, "GET", "/openapi.json").status_code == 401
