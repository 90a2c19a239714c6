"""GET /audit filters changes and readings; reading a case, searching and exporting are logged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import Engine

from api.review import export_lines
from persistence.tenants import Tenant
from tests.support.data.review import decide, say, store
from tests.support.fixture_types import MakeTenant
from tests.support.management_api import ACTOR, send


@dataclass(frozen=True)
class Caller:
    """A tenant's key that reads."""

    engine: Engine
    tenant: Tenant

    def get(self, *paths: str) -> list[Any]:
        """Return the bodies of the replies, one after another."""
        replies = send(self.engine, [(self.tenant.id, "GET", path, None) for path in paths])
        assert [reply.status_code for reply in replies] == [200] * len(paths)
        return [
            reply.text if reply.headers["content-type"].startswith("text/csv") else reply.json()
            for reply in replies
        ]


@pytest.fixture
def caller(service_engine: Engine, make_tenant: MakeTenant) -> Caller:
    """A caller of a tenant of the test's own."""
    return Caller(service_engine, make_tenant())


def test_what_a_person_reads_is_found_with_reads_and_is_no_change(
    engine: Engine, caller: Caller
) -> None:
    decision = decide(caller.tenant)
    store(engine, decision)
    case = f"transactions/{decision.transaction_id}"
    account = decision.transaction.name_orig
    before, *_, reads, of_case, of_account, exports, others, after = caller.get(
        "/audit",
        f"/{case}",
        f"/transactions?account={account}",
        "/transactions.csv?limit=5",
        "/queue",
        "/audit?reads=true",
        f"/audit?reads=true&object={case}&actor={ACTOR}",
        f"/audit?reads=true&object=accounts/{account}",
        "/audit?reads=true&action=transactions.exported&from=2020-01-01T00:00:00Z",
        "/audit?reads=true&actor=somebody",
        "/audit",
    )
    assert before == after
    assert [entry["action"] for entry in reads["items"]] == [
        "transactions.exported",
        "transactions.searched",
        "transaction.read",
    ]
    for entry in reads["items"]:
        assert (entry["actor"], entry["via"]) == (ACTOR, f"key {ACTOR}")
        assert (entry["before"], entry["after"]) == (None, None)
    assert of_case["items"] == reads["items"][2:]
    assert of_case["items"][0]["object"] == case
    assert of_account["items"] == reads["items"][1:2]
    assert of_account["items"][0]["details"] == {"filter": {"account": account}, "rows": 1}
    assert exports["items"] == reads["items"][:1]
    assert exports["items"][0]["details"] == {"filter": {}, "rows": 1}
    assert others == {"items": [], "next_cursor": None}


def test_an_export_is_logged_once_with_the_number_of_its_rows(
    engine: Engine, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export_lines, "EXPORT_PAGE", 2)
    store(engine, *(decide(caller.tenant) for _ in range(5)))
    exported, log = caller.get("/transactions.csv?limit=5", "/audit?reads=true")
    assert len(exported.splitlines()) == 1 + 5
    assert [entry["details"]["rows"] for entry in log["items"]] == [5]


@pytest.mark.parametrize("log", ["", "&reads=true"])
def test_the_pages_of_a_filtered_log_hold_every_entry_once(
    engine: Engine, caller: Caller, log: str
) -> None:
    decision = decide(caller.tenant)
    store(engine, decision)
    case = f"transactions/{decision.transaction_id}"
    for _ in range(3):
        say(engine, decision, "escalated")
    filtered = f"/audit?object={case}{log}"
    *_, whole, page = caller.get(*[f"/{case}"] * 3, filtered, f"{filtered}&limit=2")
    cursor = f"&cursor={page['next_cursor']}"
    (rest,) = caller.get(f"{filtered}&limit=2{cursor}")
    assert len(whole["items"]) == 3
    assert page["items"] + rest["items"] == whole["items"]
    assert rest["next_cursor"] is None
    for other in (f"/audit?limit=2{log}{cursor}", f"{filtered}&actor={ACTOR}{cursor}"):
        (refused,) = send(caller.engine, [(caller.tenant.id, "GET", other, None)])
        assert refused.status_code == 422, "the cursor is of another query"


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("actor=%00", "actor"),
        ("actor=", "actor"),
        ("object=secrets/1", "object"),
        ("object=policy/1", "object"),
        ("object=keys/", "object"),
        ("from=yesterday", "from"),
        ("from=2024-05-02T00:00:00Z&to=2024-05-01T00:00:00Z", "to"),
        ("reads=perhaps", "reads"),
        ("cursor=", "cursor"),
    ],
)
def test_a_bad_filter_is_422_and_named(caller: Caller, query: str, field: str) -> None:
    (reply,) = send(caller.engine, [(caller.tenant.id, "GET", f"/audit?{query}", None)])
    assert reply.status_code == 422
    assert [error["field"] for error in reply.json()["errors"]] == [field]
