"""Labels of any source: stored once, kept with their actor, audited, shown beside decisions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from threading import Thread
from typing import Any

import pytest
from sqlalchemy import Engine

from persistence.decisions.writer import DecisionLog
from persistence.labels.writer import NewLabel, read_stored, store_labels
from persistence.review.search import Search, find_transactions
from persistence.review.worklist import REVIEWS, read_case, read_worklist
from persistence.tenancy import tenant_transaction
from persistence.tenants import Tenant
from scoring.event_type.validation import EventValidator
from tests.support.data.labels import BACK_OFFICE, a_label, report
from tests.support.data.own_events import CardTenant
from tests.support.data.review import NOW, decide, say, store
from tests.support.event_types import an_event, an_event_type
from tests.support.fixture_types import MakeTenant, Rows

DAY = timedelta(days=1)


@pytest.fixture
def tenant(make_tenant: MakeTenant) -> Tenant:
    return make_tenant()


def test_an_event_is_found_by_either_id_and_only_in_its_tenant(
    service_engine: Engine, tenant: Tenant, make_tenant: MakeTenant, rows: Rows
) -> None:
    mine, other = decide(tenant, external_id="a"), decide(make_tenant("other"), external_id="b")
    store(service_engine, mine, other)
    named = [
        *((external_id, None) for external_id in ("a", "b", "c")),
        *((None, id_) for id_ in (mine.transaction_id, other.transaction_id, mine.prediction_id)),
    ]
    sources: list[Any] = ["chargeback", "analyst", "customer", "rule", "import", "import"]
    labels = [
        NewLabel(*ids, "fraud", source, NOW) for ids, source in zip(named, sources, strict=True)
    ]
    with tenant_transaction(service_engine, tenant.id, actor=BACK_OFFICE) as connection:
        assert store_labels(connection, tenant.id, labels, BACK_OFFICE) == (2, [1, 2, 4, 5], {})
    stored = rows("SELECT tenant_id, transaction_id, source FROM labels ORDER BY source")
    assert [r["source"] for r in stored] == ["chargeback", "rule"]
    assert {(r["tenant_id"], r["transaction_id"]) for r in stored} == {
        (tenant.id, mine.transaction_id)
    }


@pytest.mark.parametrize("by", ["transaction_id", "external_id"])
def test_a_label_is_not_older_than_its_event(
    engine: Engine, service_engine: Engine, rows: Rows, by: str
) -> None:
    cards = CardTenant(engine, an_event_type(TX_DATETIME={"kind": "timestamp", "role": "time"}))
    event_at = datetime(2026, 3, 31, 12, tzinfo=UTC)
    decided = cards.decided(TX_DATETIME="2026-03-31T14:00:00.123456789+02:00", external_id="a")
    assert DecisionLog(service_engine).write([decided]) == [decided]
    ids = (None, decided.transaction_id) if by == "transaction_id" else ("a", None)
    times = [event_at - timedelta(minutes=6), event_at - timedelta(minutes=4), event_at + DAY]
    labels = [NewLabel(*ids, "fraud", "customer", at) for at in times]

    with tenant_transaction(service_engine, cards.id, actor=BACK_OFFICE) as connection:
        stored = store_labels(connection, cards.id, labels, BACK_OFFICE)

    own_time = event_at + timedelta(microseconds=123457)
    assert stored == (2, [], {0: own_time}), "a clock may be some minutes behind"
    assert [row["occurred_at"] for row in rows("SELECT occurred_at FROM labels ORDER BY 1")] == (
        times[1:]
    )


def test_an_event_whose_clock_is_ahead_takes_a_label_once_it_is_decided(
    engine: Engine, service_engine: Engine
) -> None:
    cards = CardTenant(engine, an_event_type())
    now = datetime.now(UTC)
    ahead = (now + timedelta(hours=20)).isoformat()
    event = EventValidator(cards.stored.event_type, cards.stored.id).validate(
        an_event(TX_DATETIME=ahead), int(now.timestamp() * 1e6)
    )
    (decided,) = cards.decision_of([event])
    assert DecisionLog(service_engine).write([decided]) == [decided]
    label = a_label(decided, occurred_at=datetime.now(UTC))
    with tenant_transaction(service_engine, cards.id, actor=BACK_OFFICE) as connection:
        assert store_labels(connection, cards.id, [label], BACK_OFFICE) == (1, [], {})


@pytest.mark.parametrize("offset", ["+23:59", "-23:59", "+16:00"])
def test_an_event_with_an_offset_that_postgres_does_not_have_takes_any_label(
    engine: Engine, service_engine: Engine, offset: str
) -> None:
    cards = CardTenant(engine, an_event_type())
    decided = cards.decided(TX_DATETIME=f"2026-03-30T12:00:00{offset}")
    assert DecisionLog(service_engine).write([decided]) == [decided]
    label = a_label(decided, occurred_at=datetime(2020, 1, 1, tzinfo=UTC))
    with tenant_transaction(service_engine, cards.id, actor=BACK_OFFICE) as connection:
        assert store_labels(connection, cards.id, [label], BACK_OFFICE) == (1, [], {})


def test_an_event_without_a_time_of_its_own_takes_a_label_of_any_time(
    engine: Engine, service_engine: Engine, tenant: Tenant
) -> None:
    timeless = CardTenant(engine, an_event_type(TX_DATETIME={"kind": "timestamp"}))
    paysim, decided = decide(tenant), timeless.decided()
    store(service_engine, paysim)
    assert DecisionLog(service_engine).write([decided]) == [decided]
    for decision in (paysim, decided):
        report(service_engine, decision, occurred_at=datetime(2020, 1, 1, tzinfo=UTC))
        case = read_case(service_engine, decision.tenant_id, decision.transaction_id)
        assert len(case.labels) == 1


def test_all_labels_are_kept_with_their_actor_latest_first(
    service_engine: Engine, tenant: Tenant
) -> None:
    decision = decide(tenant)
    store(service_engine, decision)
    report(service_engine, decision, "fraud", "customer", NOW - 3 * DAY)
    report(service_engine, decision, "fraud", "chargeback", NOW - DAY, amount_lost=0.1 + 0.2)
    report(service_engine, decision, "legitimate", "rule", NOW - 2 * DAY)
    case = read_case(service_engine, tenant.id, decision.transaction_id)
    assert [label.source for label in case.labels] == ["chargeback", "rule", "customer"]
    assert case.labels[0].amount_lost == 0.1 + 0.2
    assert {label.actor for label in case.labels} == {BACK_OFFICE.name}
    assert case.label == case.labels[0]


def test_a_label_that_is_stored_already_is_not_stored_again(
    service_engine: Engine, tenant: Tenant, rows: Rows
) -> None:
    decision = decide(tenant)
    store(service_engine, decision)
    label = a_label(decision)
    reversal = a_label(decision, occurred_at=label.occurred_at, reversed=True)
    batch = [label, label, reversal]
    for stored in (2, 0):
        with tenant_transaction(service_engine, tenant.id, actor=BACK_OFFICE) as connection:
            assert store_labels(connection, tenant.id, batch, BACK_OFFICE).new == stored
            back = [label for _, label in read_stored(connection, tenant.id, batch)]
    assert [x.reversed for x in back] == [False, False, True]
    assert back[0].id == back[1].id < back[2].id
    assert rows("SELECT count(*) FROM labels") == [{"count": 2}]


def test_labels_are_audited_once_a_request_with_their_numbers_by_source(
    service_engine: Engine, tenant: Tenant, rows: Rows
) -> None:
    batch = [decide(tenant) for _ in range(3)]
    store(service_engine, *batch)
    sources: list[Any] = ["chargeback", "customer", "chargeback"]
    labels = [a_label(d, "fraud", s) for d, s in zip(batch, sources, strict=True)]
    for _ in range(2):  # the second changes nothing
        with tenant_transaction(service_engine, tenant.id, actor=BACK_OFFICE) as connection:
            store_labels(connection, tenant.id, labels, BACK_OFFICE)
    entries = rows("SELECT actor, via, object, after FROM audit_log WHERE action ~ '^label'")
    assert entries == [
        {
            "actor": BACK_OFFICE.name,
            "via": BACK_OFFICE.via,
            "object": "labels",
            "after": {
                "count": 3,
                "first_id": 1,
                "last_id": 3,
                "sources": {"chargeback": 2, "customer": 1},
            },
        }
    ]


def test_feedback_is_the_analysts_label_and_audited_as_feedback_alone(
    service_engine: Engine, tenant: Tenant, rows: Rows
) -> None:
    decision = decide(tenant)
    store(service_engine, decision)
    for feedback in ("confirmed_fraud", "escalated", "false_positive"):
        say(service_engine, decision, feedback)
    labels = read_case(service_engine, tenant.id, decision.transaction_id).labels
    assert [label.label for label in labels] == ["legitimate", "escalated", "fraud"]
    assert {(label.source, label.actor) for label in labels} == {("analyst", "analyst")}
    actions = {r["action"] for r in rows("SELECT action FROM audit_log")}
    assert "feedback.created" in actions
    assert not any(action.startswith("label.") for action in actions)


def test_of_feedback_at_one_time_the_latest_is_also_the_latest_label(
    service_engine: Engine, tenant: Tenant
) -> None:
    decision = decide(tenant)
    store(service_engine, decision)
    labels = ["confirmed_fraud", "false_positive", "escalated", "false_positive"]
    threads = [
        Thread(target=say, args=(service_engine, decision, label)) for label in labels for _ in "ab"
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    case = read_case(service_engine, tenant.id, decision.transaction_id)
    of_feedback = {"confirmed_fraud": "fraud", "false_positive": "legitimate"}
    assert [label.label for label in case.labels] == [
        of_feedback.get(f.label, f.label) for f in case.feedback
    ]


def test_lists_have_the_label_that_counts(service_engine: Engine, tenant: Tenant) -> None:
    won, lost, silent = (decide(tenant, amount=a) for a in (1, 2, 3))
    store(service_engine, won, lost, silent)
    report(service_engine, won, "fraud", "chargeback", NOW - 2 * DAY)
    report(service_engine, won, "fraud", "chargeback", NOW - DAY, reversed=True)
    report(service_engine, lost, "fraud", "rule")
    found = find_transactions(service_engine, tenant.id, Search(), limit=9).entries
    queue = read_worklist(service_engine, tenant.id, REVIEWS, undecided=True, limit=9).entries
    for cases in (found, queue):
        labels = {c.decided.transaction.amount: c.label and c.label.label for c in cases}
        assert labels == {1: None, 2: "fraud", 3: None}


def test_a_source_that_is_not_known_is_refused(engine: Engine, tenant: Tenant) -> None:
    decision = decide(tenant)
    store(engine, decision)
    with pytest.raises(Exception, match="source_known"):
        report(engine, decision, "fraud", "rumour")


def test_a_time_is_stored_to_the_microsecond_in_any_zone(
    service_engine: Engine, tenant: Tenant
) -> None:
    decision = decide(tenant)
    store(service_engine, decision)
    at = datetime.fromisoformat("2026-03-01T23:59:59.999999-07:30")
    report(service_engine, decision, occurred_at=at)
    (label,) = read_case(service_engine, tenant.id, decision.transaction_id).labels
    assert label.occurred_at == at
