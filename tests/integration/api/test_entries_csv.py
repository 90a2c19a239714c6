"""Entries of a list over HTTP as CSV: one change, audited, all rows or none."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

import pytest
from sqlalchemy import Engine

from api.lists import routes
from api.lists.csv_body import MAX_ROWS
from persistence.tenants import Tenant
from tests.support.data.rules import put_list
from tests.support.fixture_types import MakeTenant
from tests.support.management_api import Request, connected
from web.body import MAX_BATCH_BODY_BYTES

ENTRIES = "/lists/blocked/entries"
REMOVE = f"{ENTRIES}/remove"
TWO = "value,reason,expires_at\nC1,reported,\nC2,police,2099-01-31T12:00:00Z\n"


@pytest.fixture
def tenant(make_tenant: MakeTenant, service_engine: Engine) -> Tenant:
    made = make_tenant()
    put_list(service_engine, made.id, "blocked")
    return made


class Api:
    """A caller of one tenant."""

    def __init__(self, request: Request, tenant: Tenant) -> None:
        self._request = request
        self._tenant_id = tenant.id

    def post(self, path: str, body: str | bytes, **headers: str) -> Any:
        content = body if isinstance(body, bytes) else body.encode()
        sent = {"Content_Type": "text/csv"} | headers
        return self._request(self._tenant_id, "POST", path, content, **sent)

    def get(self, path: str) -> Any:
        return self._request(self._tenant_id, "GET", path).json()


@pytest.fixture
def api(service_engine: Engine, tenant: Tenant) -> Iterator[Api]:
    with connected(service_engine) as request:
        yield Api(request, tenant)


def test_rows_are_added_and_removed_as_one_audited_change(api: Api) -> None:
    added = api.post(ENTRIES, TWO, Content_Type="text/csv; charset=utf-8")
    assert (added.status_code, added.json()) == (201, {"added": 2, "replaced": 0})
    first, second = sorted(api.get(ENTRIES)["items"], key=lambda one: str(one["value"]))
    assert (first["value"], first["reason"], first["expires_at"]) == ("C1", "reported", None)
    assert second["expires_at"] == "2099-01-31T12:00:00+00:00"
    again = api.post(ENTRIES, "value;reason\nC1;again\nC3;new\n")
    assert again.json() == {"added": 1, "replaced": 1}
    removed = api.post(REMOVE, "value,reason,expires_at\nC1,,\nC9,,\n")
    assert (removed.status_code, removed.json()) == (200, {"removed": 1, "unknown": 1})
    actions = [
        (one["action"], (one["after"] or one["before"])["count"])
        for one in api.get("/audit?object=lists/blocked")["items"]
        if one["action"].startswith("list_entries")
    ]
    assert actions[:-1] == [
        ("list_entries.removed", 1),
        ("list_entries.created", 2),
        ("list_entries.removed", 1),
    ]
    assert actions[-1] == ("list_entries.created", 2)


@pytest.mark.parametrize("path", [ENTRIES, REMOVE])
def test_a_row_that_is_not_valid_keeps_all_out(api: Api, path: str) -> None:
    api.post(ENTRIES, TWO)
    refused = api.post(path, "value,reason\nC1,ok\nC5,ok\n\x07,ok\n")
    assert refused.status_code == 422
    problem = refused.json()
    assert [error["field"] for error in problem["errors"]] == ["lines.4.value"]
    assert "lines.4.value" in problem["detail"]
    assert {one["value"] for one in api.get(ENTRIES)["items"]} == {"C1", "C2"}


def test_a_key_makes_the_same_rows_safe_to_repeat(api: Api) -> None:
    first = api.post(ENTRIES, TWO, Idempotency_Key="monday")
    again = api.post(ENTRIES, TWO, Idempotency_Key="monday")
    assert again.json() == first.json() == {"added": 2, "replaced": 0}
    assert again.headers["Idempotent-Replayed"] == "true"
    other = api.post(ENTRIES, TWO.replace("police", "bank"), Idempotency_Key="monday")
    assert other.status_code == 422


def test_the_content_type_decides_what_a_body_is(api: Api) -> None:
    assert api.post(ENTRIES, TWO, Content_Type="application/json").status_code == 422
    as_json = '{"entries": [{"value": "C1", "reason": "x"}]}'
    assert api.post(ENTRIES, as_json).status_code == 422
    assert api.post(ENTRIES, TWO, Content_Type="text/csv; charset=latin1").status_code == 415


def test_a_table_has_a_largest_size(api: Api) -> None:
    most = "value,reason\n" + "".join(f"C{i},bulk\n" for i in range(MAX_ROWS))
    assert api.post(ENTRIES, most).json() == {"added": MAX_ROWS, "replaced": 0}
    assert api.post(ENTRIES, most + "C,bulk\n").status_code == 422
    assert api.post(REMOVE, b"value\n" + b"a" * MAX_BATCH_BODY_BYTES).status_code == 413
    assert api.post(REMOVE, most).json() == {"removed": MAX_ROWS, "unknown": 0}


def test_a_quote_that_is_not_closed_keeps_all_out(api: Api) -> None:
    refused = api.post(ENTRIES, 'value,reason\nC1,"reported\nC2,x\nC3,y\n')
    assert refused.status_code == 422
    assert "unexpected end of data" in refused.json()["detail"]
    assert api.get(ENTRIES)["items"] == []


def test_of_a_removal_only_the_value_counts(api: Api) -> None:
    api.post(ENTRIES, TWO)
    removed = api.post(REMOVE, "value,reason,reason,expires_at\nC1,a,b,yesterday\n")
    assert removed.json() == {"removed": 1, "unknown": 0}


def test_a_reason_has_no_control_characters_as_in_json(api: Api) -> None:
    refused = api.post(ENTRIES, "value,reason\nC1,\x1b[2Jx\n")
    assert [error["field"] for error in refused.json()["errors"]] == ["lines.2.reason"]


def test_a_repeated_request_has_its_first_reply_after_the_expiry(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    soon = datetime.now(UTC) + timedelta(minutes=1)
    rows = f"value,reason,expires_at\nC1,reported,{soon.isoformat()}\n"
    first = api.post(ENTRIES, rows, Idempotency_Key="soon")
    assert first.status_code == 201

    class Later(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Later:
            return cls.fromtimestamp(soon.timestamp() + 60, tz)

    monkeypatch.setattr(routes, "datetime", Later)
    again = api.post(ENTRIES, rows, Idempotency_Key="soon")
    assert (again.status_code, again.json()) == (201, first.json())
    other = api.post(ENTRIES, rows, Idempotency_Key="late")
    assert other.json()["errors"] == [
        {"field": "entries.0.expires_at", "message": "must be later than now"}
    ]
