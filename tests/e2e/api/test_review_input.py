"""The review API refuses invalid input with the right status and the field, and stores nothing."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.review_client import Analyst, refused
from tests.support.system import System


@pytest.fixture(scope="module")
def system(shared_system: System) -> System:
    """The service that several modules share."""
    return shared_system


@pytest.mark.parametrize("path", ["/queue", "/transactions", "/audit"])
def test_a_forged_or_foreign_cursor_is_422(analyst: Analyst, hire: Any, path: str) -> None:
    analyst.decided(0.9, 0.8, 0.7)
    cursor = analyst.get(path, limit=1).json()["next_cursor"]
    assert analyst.get(path, limit=2, cursor=cursor).status_code == 200
    stranger = hire("review", "admin")
    stranger.decided(0.9)
    refused(stranger.get(path, cursor=cursor), 422, "cursor")
    for forged in ("", "x", "AAAA", cursor[:-1], cursor + "A", cursor.swapcase(), "é", "0" * 999):
        refused(analyst.get(path, cursor=forged), 422, "cursor")
    filters = {"/queue": "risk_band", "/transactions": "account", "/audit": "action"}
    value = {"risk_band": "high", "account": "C1", "action": "key.created"}[filters[path]]
    refused(analyst.get(path, cursor=cursor, **{filters[path]: value}), 422, "cursor")
    for foreign in {"/queue", "/transactions", "/audit"} - {path}:
        refused(analyst.get(foreign, cursor=cursor), 422, "cursor")


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"label": "fraud"}, "label"),
        ({"label": None}, "label"),
        ({"rationale": ""}, "rationale"),
        ({"rationale": " \n\t"}, "rationale"),
        ({"rationale": "x" * 2001}, "rationale"),
        ({"rationale": "a\u0000b"}, "rationale"),
        ({"rationale": "a\u001bb"}, "rationale"),
        ({"rationale": "a\u0085b"}, "rationale"),
        ({"rationale": 7}, "rationale"),
        ({"surprise": 1}, "surprise"),
    ],
)
def test_invalid_feedback_is_422_with_its_field_and_not_stored(
    analyst: Analyst, wrong: dict[str, Any], field: str
) -> None:
    (decision,) = analyst.decided(0.9)
    refused(analyst.say(decision.transaction_id, **({"label": "escalated"} | wrong)), 422, field)
    case = analyst.get(f"/transactions/{decision.transaction_id}").json()
    assert (case["feedback"], case["undecided"]) == ([], True)


def test_feedback_of_5_mb_is_413_and_a_broken_body_is_422(analyst: Analyst) -> None:
    (decision,) = analyst.decided(0.9)
    refused(analyst.say(decision.transaction_id, rationale="x" * 5_000_000), 413)
    path = f"/transactions/{decision.transaction_id}/feedback"
    for body in (b"", b"{", b'"\xff"', b'{"label":"escalated","rationale":"\\ud800"}'):
        reply = analyst.system.service.client.post(path, content=body, headers=analyst.headers)
        refused(reply, 422)


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/queue?limit=0", "limit"),
        ("/queue?limit=201", "limit"),
        ("/queue?limit=x", "limit"),
        ("/queue?risk_band=HIGH", "risk_band"),
        ("/queue?decision=deny", "decision"),
        ("/queue?undecided=perhaps", "undecided"),
        ("/queue?offset=5", "offset"),
        ("/queue?page=2", "page"),
        ("/transactions?account=a%20b", "account"),
        ("/transactions?account=C1%00", "account"),
        ("/transactions?external_id=", "external_id"),
        ("/transactions?amount_min=NaN&account=C1", "amount_min"),
        ("/transactions?amount_max=-1&account=C1", "amount_max"),
        ("/transactions?amount_min=1", "amount_min"),
        ("/transactions?amount_min=2&amount_max=1&account=C1", "amount_max"),
        ("/transactions?from=yesterday", "from"),
        ("/transactions?to=2026-13-01", "to"),
        ("/transactions?from=2026-01-02&to=2026-01-01", "to"),
        ("/transactions?format=csv", "format"),
        ("/transactions.csv?cursor=x", "cursor"),
        ("/transactions.csv?limit=100001", "limit"),
        ("/transactions.csv?amount_min=1", "amount_min"),
        ("/transactions/seven", "id"),
        ("/transactions/01a20954-307f-76ad-bbfb-c426daea33c6x", "id"),
        ("/transactions/01a20954-307f-76ad-bbfb-c426daea33c6?expand=1", "expand"),
        ("/audit?action=everything", "action"),
        ("/audit?reader=me", "reader"),
    ],
)
def test_a_bad_parameter_is_422_and_named(analyst: Analyst, path: str, field: str) -> None:
    refused(analyst.system.service.client.get(path, headers=analyst.headers), 422, field)


REVIEW_PATHS = (
    "/queue",
    "/transactions",
    "/transactions.csv",
    "/transactions/01a20954-307f-76ad-bbfb-c426daea33c6",
)


@pytest.mark.parametrize("path", [*REVIEW_PATHS, "/audit"])
def test_a_missing_key_is_401_before_any_other_check(system: System, path: str) -> None:
    for headers in ({}, {"Authorization": "Bearer sk_wrong"}, {"Authorization": "Basic x"}):
        reply = system.service.client.get(f"{path}?surprise=1", headers=headers)
        refused(reply, 401)
        assert reply.headers["www-authenticate"] == "Bearer"


def test_each_route_needs_its_scope(hire: Any) -> None:
    for scope, forbidden in (("score", (*REVIEW_PATHS, "/audit")), ("review", ("/audit",))):
        somebody = hire(scope)
        for path in forbidden:
            refused(somebody.get(path), 403)
    scorer = hire("score")
    (decision,) = scorer.decided(0.9)
    refused(scorer.say(decision.transaction_id), 403)
    auditor = hire("admin")
    assert auditor.get("/audit").status_code == 200
    refused(auditor.get("/queue"), 403)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/queue", 405),
        ("DELETE", "/transactions/01a20954-307f-76ad-bbfb-c426daea33c6", 405),
        ("GET", "/transactions/01a20954-307f-76ad-bbfb-c426daea33c6/feedback", 405),
        ("GET", "/queue/", 404),
        ("GET", "/transactions/a/b", 404),
    ],
)
def test_an_unknown_route_or_method_is_a_problem(
    analyst: Analyst, method: str, path: str, status: int
) -> None:
    reply = analyst.system.service.client.request(method, path, headers=analyst.headers)
    refused(reply, status)
    assert ("allow" in reply.headers) == (status == 405)
