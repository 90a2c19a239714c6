"""The review of decisions: the worklist, cases, feedback and the audit log, in Postgres."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Engine

from persistence.deployments.recording import record_promotions
from persistence.maintenance.partitions import Month, make_months
from persistence.review.audit import AuditFilter, read_changes
from persistence.review.cases import Case
from persistence.review.search import Search, find_transactions
from persistence.review.worklist import (
    REVIEWS,
    Place,
    read_case,
    read_worklist,
)
from persistence.tenants import Tenant
from scoring.errors import NotFound
from scoring.prediction import ModelVersion
from tests.support.data.review import NOW, decide, ids, say, store
from tests.support.factories import a_model, decision_at
from tests.support.fixture_types import MakeTenant, Rows


def worklist(engine: Engine, tenant: Tenant, **how: Any) -> list[Case]:
    wanted = {"kinds": REVIEWS, "undecided": True, "limit": 200}
    return read_worklist(engine, tenant.id, **wanted | how).entries


def test_the_worklist_is_sorted_by_score_over_bands_and_months(
    engine: Engine, service_engine: Engine, make_tenant: MakeTenant
) -> None:
    tenant = make_tenant()
    with engine.begin() as connection:
        make_months(connection, [Month.of(NOW).plus(-1)])
    batch = [
        decision_at(decide(tenant, score), NOW - timedelta(days=days))
        for score in (0.9, 0.06, 0.5, 0.01, 0.06)
        for days in (0, 40, 65)
    ]
    store(engine, *batch)
    listed = worklist(service_engine, tenant)
    expected = sorted(
        (d for d in batch if d.prediction.score > 0.05),
        key=lambda d: (d.prediction.score, d.prediction_id),
        reverse=True,
    )
    assert ids(listed) == [d.transaction_id for d in expected]
    low = worklist(service_engine, tenant, kinds=[("approve", "low")])
    assert {case.decided.prediction.decision for case in low} == {"approve"}
    assert len(low) == 3


def test_pages_show_each_case_once_while_cases_are_added_and_settled(
    service_engine: Engine, make_tenant: MakeTenant
) -> None:
    tenant, chance = make_tenant(), random.Random(1)  # noqa: S311 - a test
    # Few distinct scores, so that pages end among equals.
    batch = [decide(tenant, chance.choice((0.1, 0.2, 0.6, 0.7))) for _ in range(100)]
    store(service_engine, *batch)
    seen: list[UUID] = []
    after: Place | None = None
    while True:
        page = read_worklist(
            service_engine, tenant.id, REVIEWS, undecided=True, limit=7, after=after
        )
        seen += ids(page.entries)
        if page.next is None:
            break
        after = page.next
        store(service_engine, decide(tenant, 0.65), decide(tenant, 0.15))
        say(service_engine, page.entries[-1].decided, "false_positive")
    assert len(seen) == len(set(seen))
    assert set(seen) >= {d.transaction_id for d in batch}


def test_two_entries_of_feedback_leave_one_item_with_the_latest(
    service_engine: Engine, make_tenant: MakeTenant
) -> None:
    tenant = make_tenant()
    decision, other = decide(tenant, 0.9), decide(tenant, 0.8)
    store(service_engine, decision, other)
    say(service_engine, decision, "escalated", "first look")
    say(service_engine, decision, "escalated", "second look")
    listed = worklist(service_engine, tenant)
    assert ids(listed) == [decision.transaction_id, other.transaction_id]
    assert [entry.rationale for entry in listed[0].feedback] == ["second look"]
    say(service_engine, decision, "confirmed_fraud")
    say(service_engine, decision, "false_positive", "was the holder")
    assert ids(worklist(service_engine, tenant)) == [other.transaction_id]
    (settled,) = worklist(service_engine, tenant, undecided=False)
    assert settled.feedback[0].label == "false_positive"
    assert not settled.undecided


def test_escalating_puts_a_settled_case_back_on_the_worklist(
    service_engine: Engine, make_tenant: MakeTenant
) -> None:
    tenant = make_tenant()
    decision = decide(tenant)
    store(service_engine, decision)
    say(service_engine, decision, "false_positive")
    assert worklist(service_engine, tenant) == []
    say(service_engine, decision, "escalated")
    (back,) = worklist(service_engine, tenant)
    assert back.undecided


def test_a_case_has_the_stored_decision_and_its_feedback_latest_first(
    service_engine: Engine, make_tenant: MakeTenant
) -> None:
    tenant = make_tenant()
    decision = decide(tenant, external_id="order-1")
    store(service_engine, decision)
    for rationale in ("one", "two", "three"):
        say(service_engine, decision, "escalated", rationale)
    record_promotions(
        service_engine, [tenant.id], a_model(threshold=0.9, version=ModelVersion("fraud-demo", 2))
    )
    case = read_case(service_engine, tenant.id, decision.transaction_id)
    assert case.decided.prediction == decision.prediction
    assert case.decided.transaction == decision.transaction
    assert [entry.rationale for entry in case.feedback] == ["three", "two", "one"]
    assert {entry.actor for entry in case.feedback} == {"analyst"}


def test_feedback_is_audited_with_its_actor(
    service_engine: Engine, make_tenant: MakeTenant
) -> None:
    tenant = make_tenant()
    decision = decide(tenant)
    store(service_engine, decision)
    say(service_engine, decision, "confirmed_fraud", "account was stolen")
    (entry,) = read_changes(
        service_engine, tenant.id, AuditFilter(action="feedback.created"), limit=5
    ).entries
    assert (entry.actor, entry.via) == ("analyst", "key k3Jd82mQpz")
    assert entry.before is None
    assert entry.after is not None
    assert entry.after["rationale"] == "account was stolen"
    assert entry.after["transaction_id"] == str(decision.transaction_id)


def test_under_concurrent_feedback_the_latest_label_settles_the_case(
    service_engine: Engine, make_tenant: MakeTenant
) -> None:
    tenant = make_tenant()
    decisions = [decide(tenant) for _ in range(10)]
    store(service_engine, *decisions)
    with ThreadPoolExecutor(4) as analysts:
        submitted = [
            analysts.submit(say, service_engine, decision, label)
            for decision in decisions
            for label in ("escalated", "confirmed_fraud", "escalated", "false_positive")
        ]
        for each in submitted:
            each.result()
    for decision in decisions:
        case = read_case(service_engine, tenant.id, decision.transaction_id)
        assert len(case.feedback) == 4
        assert case.undecided == (case.feedback[0].label == "escalated")


@pytest.mark.parametrize("transaction_id", [uuid4(), UUID(int=2**128 - 1), UUID(int=0)])
def test_an_unknown_transaction_is_not_found(
    service_engine: Engine, make_tenant: MakeTenant, transaction_id: UUID
) -> None:
    tenant = make_tenant()
    with pytest.raises(NotFound):
        read_case(service_engine, tenant.id, transaction_id)
    with pytest.raises(NotFound):
        say(service_engine, decide(tenant)._replace(transaction_id=transaction_id), "escalated")


def test_another_tenants_transaction_is_not_found_and_accepts_no_feedback(
    service_engine: Engine, make_tenant: MakeTenant, rows: Rows
) -> None:
    mine, other = make_tenant("mine"), make_tenant("other")
    theirs = decide(other, external_id="order-1", name_orig="C1")
    store(service_engine, theirs)
    with pytest.raises(NotFound):
        read_case(service_engine, mine.id, theirs.transaction_id)
    with pytest.raises(NotFound):
        say(service_engine, theirs._replace(tenant_id=mine.id), "confirmed_fraud")
    assert rows("SELECT 1 FROM feedback") == rows("SELECT 1 FROM predictions WHERE reviewed") == []
    assert worklist(service_engine, mine) == []
    for search in (Search(), Search(external_id="order-1"), Search(account="C1")):
        assert find_transactions(service_engine, mine.id, search, limit=5).entries == []
