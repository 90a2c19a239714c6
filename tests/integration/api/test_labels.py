"""POST /labels: what is stored and shown, its limits, its errors, repeats and tenants."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import Engine

from persistence.decisions.rows import Decided
from persistence.decisions.writer import DecisionLog
from persistence.tenants import Tenant
from tests.support.data.own_events import CardTenant
from tests.support.data.review import decide, say, store
from tests.support.event_types import an_event_type
from tests.support.fixture_types import MakeTenant, Rows
from tests.support.management_api import ACTOR, Request, connected

FRAUD = {"label": "fraud", "source": "chargeback", "occurred_at": "2026-02-01T10:00:00+01:00"}


@pytest.fixture
def request_(service_engine: Engine) -> Iterator[Request]:
    with connected(service_engine) as request:
        yield request


@pytest.fixture
def tenant(make_tenant: MakeTenant) -> Tenant:
    return make_tenant()


@pytest.fixture
def decision(service_engine: Engine, tenant: Tenant) -> Decided:
    decided = decide(tenant, external_id="order-1")
    store(service_engine, decided)
    return decided


def post(request: Request, tenant: Tenant, *labels: Any, **headers: str) -> Any:
    return request(tenant.id, "POST", "/labels", {"labels": list(labels)}, **headers)


def fields(reply: Any) -> list[str]:
    return [error["field"] for error in reply.json()["errors"]]


def test_the_reply_has_the_stored_labels_and_what_their_events_count_as(
    request_: Request, tenant: Tenant, decision: Decided
) -> None:
    begun = datetime.now(UTC)
    event = {"external_id": "order-1"}
    reply = post(
        request_,
        tenant,
        event | FRAUD | {"amount_lost": 0.1 + 0.2},
        {"transaction_id": str(decision.transaction_id), "label": "legitimate", "source": "rule"},
    )
    assert reply.status_code == 201
    first, second = reply.json()["labels"]
    assert begun <= datetime.fromisoformat(first.pop("created_at")) <= datetime.now(UTC)
    assert first == {
        "id": first["id"],
        "label": "fraud",
        "source": "chargeback",
        "reversed": False,
        "occurred_at": "2026-02-01T09:00:00+00:00",
        "amount_lost": 0.1 + 0.2,
        "actor": ACTOR,
        "transaction_id": str(decision.transaction_id),
        "effective_label": "fraud",
    }
    assert second["id"] != first["id"]
    assert begun <= datetime.fromisoformat(second["occurred_at"]) <= datetime.now(UTC)
    assert second["effective_label"] == "fraud"


def test_a_reversal_gives_the_label_back_to_the_next_source(
    request_: Request, tenant: Tenant, decision: Decided, service_engine: Engine
) -> None:
    say(service_engine, decision, "false_positive")
    event = {"external_id": "order-1"}
    for label, effective in [
        (FRAUD, "fraud"),
        ({"label": "fraud", "source": "chargeback", "reversed": True}, "legitimate"),
    ]:
        (stored,) = post(request_, tenant, event | label).json()["labels"]
        assert stored["effective_label"] == effective


def test_a_case_has_its_labels_and_lists_have_the_one_that_counts(
    request_: Request, tenant: Tenant, decision: Decided
) -> None:
    path = f"/transactions/{decision.transaction_id}"
    case = request_(tenant.id, "GET", path).json()
    assert (case["labels"], case["label"]) == ([], None)
    request_(tenant.id, "POST", f"{path}/feedback", {"label": "escalated", "rationale": "?"})
    assert request_(tenant.id, "GET", path).json()["label"] == "escalated"
    post(request_, tenant, {"external_id": "order-1"} | FRAUD | {"amount_lost": 12.5})
    case = request_(tenant.id, "GET", path).json()
    assert [(x["source"], x["label"], x["amount_lost"]) for x in case["labels"]] == [
        ("analyst", "escalated", None),
        ("chargeback", "fraud", 12.5),
    ]
    assert case["label"] == "fraud"
    assert case["undecided"] is True, "only feedback settles a case"
    for listing in ("/queue", "/transactions"):
        (item,) = request_(tenant.id, "GET", listing).json()["items"]
        assert item["label"] == "fraud"
        assert "labels" not in item


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"external_id": None}, "labels.1.external_id"),
        ({"transaction_id": str(uuid4())}, "labels.1.external_id"),
        ({"external_id": "a b"}, "labels.1.external_id"),
        ({"transaction_id": "7"}, "labels.1.transaction_id"),
        ({"label": "escalated"}, "labels.1.label"),
        ({"label": None}, "labels.1.label"),
        ({"source": "rumour"}, "labels.1.source"),
        ({"occurred_at": "2026-02-01T10:00:00"}, "labels.1.occurred_at"),
        ({"occurred_at": 1_700_000_000}, "labels.1.occurred_at"),
        ({"occurred_at": "0001-01-01T00:00:00+14:00"}, "labels.1.occurred_at"),
        ({"occurred_at": "9999-12-31T23:59:59-14:00"}, "labels.1.occurred_at"),
        ({"amount_lost": -0.01}, "labels.1.amount_lost"),
        ({"amount_lost": "12"}, "labels.1.amount_lost"),
        ({"reversed": 1}, "labels.1.reversed"),
        ({"surprise": 1}, "labels.1.surprise"),
    ],
)
def test_a_bad_label_is_422_and_named_and_none_is_stored(
    request_: Request,
    tenant: Tenant,
    decision: Decided,
    rows: Rows,
    change: dict[str, Any],
    field: str,
) -> None:
    good = {"external_id": decision.transaction.external_id} | FRAUD
    reply = post(request_, tenant, good, good | change)
    assert reply.status_code == 422
    assert fields(reply) == [field]
    assert rows("SELECT count(*) FROM labels") == [{"count": 0}]


def test_a_time_may_be_some_minutes_ahead_and_not_more(
    request_: Request, tenant: Tenant, decision: Decided
) -> None:
    for minutes, status in ((4, 201), (6, 422)):
        at = datetime.now(UTC) + timedelta(minutes=minutes)
        label = {"external_id": "order-1"} | FRAUD | {"occurred_at": at.isoformat()}
        assert post(request_, tenant, label).status_code == status
    assert decision.transaction.external_id == "order-1"


def test_a_label_that_is_older_than_its_event_is_422_and_named_and_none_is_stored(
    request_: Request, engine: Engine, service_engine: Engine, rows: Rows
) -> None:
    cards = CardTenant(engine, an_event_type())
    old, new = (
        cards.decided(TX_DATETIME=f"2026-0{month}-15T12:00:00Z", external_id=f"in-{month}")
        for month in (1, 3)
    )
    assert DecisionLog(service_engine).write([old, new]) == [old, new]
    reply = post(request_, cards.tenant, *({"external_id": f"in-{m}"} | FRAUD for m in (1, 3)))
    assert reply.status_code == 422
    assert reply.json()["errors"] == [
        {
            "field": "labels.1.occurred_at",
            "message": "must not be before the event's own time, 2026-03-15T12:00:00+00:00",
        }
    ]
    assert rows("SELECT count(*) FROM labels") == [{"count": 0}]
    assert post(request_, cards.tenant, {"external_id": "in-1"} | FRAUD).status_code == 201
    now = {"external_id": "in-3", "label": "fraud", "source": "customer"}
    assert post(request_, cards.tenant, now).status_code == 201


def test_every_event_that_is_not_there_or_another_tenants_is_named(
    request_: Request,
    tenant: Tenant,
    decision: Decided,
    make_tenant: MakeTenant,
    service_engine: Engine,
    rows: Rows,
) -> None:
    theirs = decide(make_tenant("other"), external_id="theirs")
    store(service_engine, theirs)
    reply = post(
        request_,
        tenant,
        {"external_id": "theirs"} | FRAUD,
        {"transaction_id": str(decision.transaction_id)} | FRAUD,
        {"transaction_id": str(theirs.transaction_id)} | FRAUD,
        {"transaction_id": str(decision.prediction_id)} | FRAUD,
    )
    assert reply.status_code == 404
    assert reply.json()["type"] == "urn:sentinel:problem:not-found"
    assert reply.json()["detail"] == "3 of 4 events are not there; nothing was stored."
    assert fields(reply) == [
        "labels.0.external_id",
        "labels.2.transaction_id",
        "labels.3.transaction_id",
    ]
    assert rows("SELECT count(*) FROM labels") == [{"count": 0}]


def test_1000_labels_are_taken_and_1001_or_none_are_refused(
    request_: Request, tenant: Tenant, decision: Decided, rows: Rows
) -> None:
    first = datetime(2026, 1, 1, tzinfo=UTC)
    labels = [
        {"transaction_id": str(decision.transaction_id)}
        | FRAUD
        | {"occurred_at": (first + timedelta(seconds=i)).isoformat(), "amount_lost": i / 7}
        for i in range(1001)
    ]
    for refused in ([], labels):
        reply = post(request_, tenant, *refused)
        assert (reply.status_code, fields(reply)) == (422, ["labels"])
    reply = post(request_, tenant, *labels[:1000])
    assert reply.status_code == 201
    assert [x["amount_lost"] for x in reply.json()["labels"]] == [i / 7 for i in range(1000)]
    assert rows("SELECT count(*) FROM labels") == [{"count": 1000}]
    case = request_(tenant.id, "GET", f"/transactions/{decision.transaction_id}").json()
    assert len(case["labels"]) == 1000


def test_a_body_of_two_megabytes_is_read_and_a_larger_one_is_413(
    request_: Request, tenant: Tenant
) -> None:
    for size, status in ((2 * 1024 * 1024 - 20, 422), (2 * 1024 * 1024 + 1, 413)):
        body = b'{"labels":[]}' + b" " * (size - 13)
        assert request_(tenant.id, "POST", "/labels", body).status_code == status


def test_a_label_that_is_sent_again_is_the_stored_one(
    request_: Request, tenant: Tenant, decision: Decided, rows: Rows
) -> None:
    label = {"external_id": decision.transaction.external_id} | FRAUD
    first, again = (post(request_, tenant, label).json()["labels"][0] for _ in range(2))
    assert first == again
    assert rows("SELECT count(*) FROM labels") == [{"count": 1}]
    (entry,) = request_(tenant.id, "GET", "/audit?object=labels").json()["items"]
    assert (entry["action"], entry["actor"]) == ("label.created", ACTOR)
    assert entry["after"] == {
        "count": 1,
        "first_id": first["id"],
        "last_id": first["id"],
        "sources": {"chargeback": 1},
    }


def test_a_query_parameter_or_another_scope_is_refused(request_: Request, tenant: Tenant) -> None:
    assert request_(tenant.id, "POST", "/labels?dry_run=1", {}).status_code == 422
    assert request_(0, "POST", "/labels", {}).status_code == 401


def test_the_tuner_and_the_comparison_take_a_time_in_the_past(
    request_: Request, tenant: Tenant
) -> None:
    iso = "must be an ISO 8601 time such as 2026-01-31T12:00:00Z"
    in_the_past = "must be a time from 1970 until now"
    for at, status, message in [
        ("2026-02-01T10:00:00Z", 200, ""),
        ("1969-01-01T00:00:00Z", 422, in_the_past),
        ("9999-01-01T00:00:00Z", 422, in_the_past),
        ("yesterday", 422, iso),
    ]:
        reply = request_(tenant.id, "GET", f"/tuner?as_of={at}")
        assert reply.status_code == status
        if status == 200:
            assert reply.json()["as_of"] == "2026-02-01T10:00:00+00:00"
        else:
            assert reply.json()["errors"] == [{"field": "as_of", "message": message}]
    assert request_(tenant.id, "GET", "/models?as_of=2026-02-01T10:00:00Z").status_code == 200
