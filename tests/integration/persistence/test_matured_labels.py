"""What a matured decision was: the label that counts among those known at a time."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, text

from persistence.decisions.shadow_scores import ShadowLog
from persistence.labels.history import label_history, latest_labels
from persistence.labels.reader import read_matured, read_matured_pairs, read_matured_transactions
from persistence.labels.writer import NewLabel, store_labels
from persistence.review.worklist import read_case
from persistence.tenancy import tenant_transaction
from persistence.tenants import Tenant
from scoring.event_type.validation import EventValidator
from scoring.labels import SOURCES, effective_label
from scoring.prediction import ModelVersion
from tests.support.data.labels import BACK_OFFICE, a_label, report
from tests.support.data.own_events import decisions_of, put_in_force
from tests.support.data.review import NOW, decide, say, store
from tests.support.data.shadow import a_shadow_score
from tests.support.event_types import NOW_US, an_event, an_event_type
from tests.support.factories import decision_at
from tests.support.fixture_types import MakeTenant

DAY = timedelta(days=1)
SPAN: dict[str, Any] = {"maturity_days": 30.0, "window_days": 60.0, "limit": 1000}
LATER = NOW + timedelta(hours=1)
"""A moment after everything that the tests report."""


@pytest.fixture
def tenant(make_tenant: MakeTenant) -> Tenant:
    return make_tenant()


def old(tenant: Tenant, days: float, **transaction: Any) -> Any:
    """A decision of so many days ago, whose amount is that number."""
    return decision_at(decide(tenant, amount=days, **transaction), NOW - days * DAY)


def known(engine: Engine, tenant: Tenant, as_of: datetime = LATER, **span: Any) -> dict[float, Any]:
    """Each matured decision by its amount: 1 fraud, 0 labelled legitimate, None no label."""
    found = read_matured(engine, tenant.id, as_of=as_of, **SPAN | span)
    return {
        amount: int(fraud) if labelled else None
        for amount, fraud, labelled in zip(
            found.amount.tolist(), found.is_fraud.tolist(), found.labelled.tolist(), strict=True
        )
    }


def test_the_most_trusted_source_decides_what_a_matured_decision_was(
    service_engine: Engine, tenant: Tenant
) -> None:
    batch = [old(tenant, days) for days in (31, 32, 33, 34)]
    store(service_engine, *batch)
    say(service_engine, batch[0], "false_positive")
    report(service_engine, batch[0], "fraud", "chargeback", NOW - 9 * DAY)
    report(service_engine, batch[1], "fraud", "import")
    report(service_engine, batch[1], "legitimate", "customer", NOW - 9 * DAY)
    say(service_engine, batch[2], "escalated")
    report(service_engine, batch[2], "fraud", "rule")
    assert known(service_engine, tenant) == {31: 1, 32: 0, 33: 1, 34: None}


def test_a_reversal_withdraws_its_source_alone(service_engine: Engine, tenant: Tenant) -> None:
    batch = [old(tenant, days) for days in (31, 32)]
    store(service_engine, *batch)
    for decision in batch:
        report(service_engine, decision, "fraud", "chargeback", NOW - 9 * DAY)
        report(service_engine, decision, "fraud", "chargeback", NOW - DAY, reversed=True)
    report(service_engine, batch[1], "fraud", "customer", NOW - 20 * DAY)
    assert known(service_engine, tenant) == {31: None, 32: 1}


def test_labels_and_ages_are_those_of_a_time_in_the_past(
    service_engine: Engine, tenant: Tenant
) -> None:
    decision, younger = old(tenant, 50), old(tenant, 35)
    store(service_engine, decision, younger)
    report(service_engine, decision, "fraud", "customer", NOW - 18 * DAY)
    report(service_engine, decision, "legitimate", "analyst", NOW - 10 * DAY)
    for days_ago, expected in [
        (25, {}),
        (19, {50: None}),
        (15, {50: 1}),
        (6, {50: 0}),
        (4, {35: None, 50: 0}),
    ]:
        assert known(service_engine, tenant, NOW - days_ago * DAY) == expected


def test_every_reading_of_matured_decisions_takes_the_same_label(
    service_engine: Engine, tenant: Tenant
) -> None:
    decision = old(tenant, 31)
    store(service_engine, decision)
    report(service_engine, decision, "fraud", "chargeback", NOW - DAY)
    versions = decision.prediction.model, ModelVersion("fraud-demo", 9)
    ShadowLog(service_engine).write([a_shadow_score(decision, 0.5, versions[1])])
    for as_of, fraud in [(NOW - DAY * 0.9, True), (NOW - DAY, True), (NOW - DAY * 1.1, False)]:
        span = SPAN | {"maturity_days": 20.0, "as_of": as_of}
        found = read_matured_transactions(service_engine, tenant.id, **span)
        assert found.is_fraud.tolist() == found.labelled.tolist() == [fraud]
        pairs = read_matured_pairs(service_engine, tenant.id, *versions, **span)
        assert pairs.is_fraud.tolist() == pairs.labelled.tolist() == [fraud]


def test_the_statements_read_what_the_rule_says(service_engine: Engine, tenant: Tenant) -> None:
    chance = random.Random(7)  # noqa: S311 - a test
    batch = [old(tenant, 31 + i / 8) for i in range(120)]
    store(service_engine, *batch)
    labels = [
        NewLabel(
            None,
            decision.transaction_id,
            chance.choice(["fraud", "legitimate"]),
            chance.choice(SOURCES),
            NOW - chance.randrange(8) * DAY,
            reversed=chance.random() < 0.3,
        )
        for decision in batch
        for _ in range(chance.randrange(6))
    ]
    with tenant_transaction(service_engine, tenant.id, actor=BACK_OFFICE) as connection:
        store_labels(connection, tenant.id, labels, BACK_OFFICE)
    for decision in chance.sample(batch, 40):
        say(service_engine, decision, chance.choice(["confirmed_fraud", "escalated"]))
    with tenant_transaction(service_engine, tenant.id) as connection:
        history = [
            (decision, label_history(connection, tenant.id, decision.transaction_id))
            for decision in batch
        ]
        latest = latest_labels(connection, tenant.id, [d.transaction_id for d in batch])
    for as_of in (LATER, NOW, *(NOW - (days + 0.5) * DAY for days in range(1, 8))):
        expected: dict[float, Any] = {}
        for decision, all_labels in history:
            label = effective_label(all_labels, as_of)
            if label is None or label.label != "escalated":
                amount = decision.transaction.amount
                expected[amount] = label and int(label.label == "fraud")
        found = known(service_engine, tenant, as_of, maturity_days=20.0)
        assert found == expected
    for decision, all_labels in history:
        of_latest = effective_label(latest.get(decision.transaction_id, ()))
        assert of_latest == effective_label(all_labels)


def test_a_label_of_another_tenant_is_not_read(
    engine: Engine, service_engine: Engine, tenant: Tenant, make_tenant: MakeTenant
) -> None:
    decision = old(tenant, 31)
    store(service_engine, decision)
    other = make_tenant("other")
    row = {"t": other.id, "x": decision.transaction_id}
    with tenant_transaction(engine, other.id) as connection:
        connection.execute(
            text(
                "INSERT INTO labels (tenant_id, transaction_id, label, source, occurred_at, actor)"
                " VALUES (:t, :x, 'fraud', 'chargeback', now() - interval '1 day', 'tests')"
            ),
            row,
        )
    assert known(service_engine, tenant) == {31: None}
    assert read_case(service_engine, tenant.id, decision.transaction_id).labels == ()


def test_200_labels_of_one_event_and_source_are_read_as_their_latest(
    service_engine: Engine, tenant: Tenant
) -> None:
    decision = old(tenant, 31)
    store(service_engine, decision)
    labels = [
        a_label(decision, "fraud" if i % 2 else "legitimate", "rule", NOW - i * timedelta(hours=1))
        for i in range(1, 201)
    ]
    with tenant_transaction(service_engine, tenant.id, actor=BACK_OFFICE) as connection:
        store_labels(connection, tenant.id, labels, BACK_OFFICE)
        latest = latest_labels(connection, tenant.id, [decision.transaction_id])
    assert [x.occurred_at for x in latest[decision.transaction_id]] == [labels[0].occurred_at]
    assert known(service_engine, tenant) == {31: 1}


def test_events_of_two_versions_of_an_event_type_are_read_as_the_newest(
    engine: Engine, service_engine: Engine, tenant: Tenant
) -> None:
    versions = an_event_type(), an_event_type(NOTE={"kind": "text", "optional": True})
    decisions = []
    for days, event_type in zip((32, 31), versions, strict=True):
        stored = put_in_force(engine, tenant, event_type)
        event = EventValidator(event_type, stored.id).validate(an_event(TX_AMOUNT=days), NOW_US)
        (decided,) = decisions_of(tenant.id, [event])
        decisions.append(decision_at(decided, NOW - days * DAY))
    store(service_engine, *decisions)
    found = read_matured_transactions(service_engine, tenant.id, as_of=LATER, **SPAN)
    assert found.event_type == versions[1]
    assert found.columns["TX_AMOUNT"].tolist() == [31, 32]
    assert found.columns["NOTE"].codes.tolist() == [-1, -1]
    assert found.is_fraud.shape == (2,)
