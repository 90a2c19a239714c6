"""Every path names all of its methods in a 405, answers HEAD as GET, and takes a parameter once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Engine

from app.openapi import document
from tests.support.fixture_types import MakeTenant
from tests.support.management_api import Request, connected

PATHS: dict[str, Any] = json.loads(document())["paths"]
ELSEWHERE = {"/score", "/score/batch", "/explain", "/livez", "/readyz", "/metrics"}
"""Paths that another part of the application answers."""
MANAGED = sorted(set(PATHS) - ELSEWHERE)
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")


@pytest.fixture
def request_(service_engine: Engine) -> Iterator[Request]:
    with connected(service_engine) as request:
        yield request


STORE_NOTHING = ("/explain", "/rules/backtest")


def taken(path: str) -> set[str]:
    methods = {method.upper() for method in PATHS[path]}
    return methods | ({"HEAD"} if "GET" in methods else set())


@pytest.mark.parametrize("path", [*MANAGED, "/docs", "/openapi.json", "/"])
def test_a_method_that_a_path_does_not_take_is_405_and_allow_lists_all_that_it_does(
    request_: Request, path: str
) -> None:
    expected = taken(path) if path in PATHS else {"GET", "HEAD"}
    for method in METHODS:
        reply = request_(0, method, path.replace("{id}", "0" * 32))
        if method in expected:
            assert reply.status_code != 405
        else:
            assert reply.status_code == 405
            assert reply.headers["content-type"] == "application/problem+json"
            assert set(reply.headers["allow"].split(", ")) == expected
            if method != "HEAD":
                assert all(name in reply.json()["detail"] for name in expected)


@pytest.mark.parametrize("path", [path for path in MANAGED if "get" in PATHS[path]])
def test_head_has_the_status_and_the_headers_of_get(
    request_: Request, make_tenant: MakeTenant, path: str
) -> None:
    for tenant_id in (0, make_tenant().id):
        get, head = (
            request_(tenant_id, m, path.replace("{id}", "0" * 32)) for m in ("GET", "HEAD")
        )
        assert head.status_code == get.status_code
        assert head.headers == get.headers


@pytest.mark.parametrize(
    "query", ["limit=1&limit=2", "limit=1&limit=1", "undecided=true&limit=1&undecided=false"]
)
def test_a_parameter_that_is_sent_twice_is_422_and_named(
    request_: Request, make_tenant: MakeTenant, query: str
) -> None:
    reply = request_(make_tenant().id, "GET", f"/queue?{query}")
    assert reply.status_code == 422
    (error,) = reply.json()["errors"]
    assert query.count(f"{error['field']}=") == 2
    assert request_(0, "GET", f"/queue?{query}").status_code == 401


def test_every_route_that_changes_something_documents_its_idempotency_key() -> None:
    operations = [
        (path, operation)
        for path, item in PATHS.items()
        for method, operation in item.items()
        if method in {"post", "put", "patch", "delete"} and path not in STORE_NOTHING
    ]
    assert len(operations) >= 5
    for path, operation in operations:
        headers = {p["name"] for p in operation["parameters"] if p["in"] == "header"}
        assert headers == {"Idempotency-Key"}, path
        assert "409" in operation["responses"], path
        successes = [r for status, r in operation["responses"].items() if int(status) < 300]
        assert successes, path
        assert all("Idempotent-Replayed" in success["headers"] for success in successes), path
