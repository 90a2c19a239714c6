"""What rules did day by day."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine

from persistence.decisions.rows import Decided
from persistence.decisions.writer import DecisionLog
from persistence.rules.figures import RuleDay, rule_figures
from persistence.tenants import Tenant
from scoring.policy import CostModel
from scoring.rules.ruling import Ruling
from scoring.rules.verdict import DecidedBy, Verdict
from tests.support.data.own_events import label
from tests.support.factories import a_decision, decision_at
from tests.support.fixture_types import MakeTenant

NOW = datetime.now(UTC)
YESTERDAY = (NOW - timedelta(days=1)).replace(hour=12)
COSTS = CostModel(10.0, 0.5, 3.0, 7.0)


@pytest.fixture
def tenant(make_tenant: MakeTenant) -> Tenant:
    return make_tenant()


def store(
    engine: Engine, tenant: Tenant, at: datetime, verdict: Verdict | None, label_: Any = None
) -> Decided:
    """Store a decision of 100 by a verdict, and its label."""
    decided = decision_at(a_decision(tenant.id, amount=100.0), at)
    if verdict is not None:
        decided = decided._replace(prediction=decided.prediction.ruled(Ruling(1, verdict)))
    DecisionLog(engine).write([decided])
    if label_ is not None:
        label(engine, tenant.id, decided.transaction_id, label_, at, source="chargeback")
    return decided


def test_days_count_fires_labels_and_frauds_of_every_version(
    service_engine: Engine, tenant: Tenant
) -> None:
    by_it = Verdict("decline", DecidedBy("rule", 2, 1), fired=((2, 1),))
    beside = Verdict("approve", DecidedBy("rule", 1, 4), fired=((1, 4), (2, 3)))
    shadow = Verdict("review", shadow=((2, 2), (1, 2)))
    other = Verdict("review", fired=((12, 2), (1, 2)), failed=((2, 1),))
    store(service_engine, tenant, YESTERDAY - timedelta(days=1), by_it, "fraud")
    store(service_engine, tenant, YESTERDAY, by_it, "legitimate")
    store(service_engine, tenant, YESTERDAY, beside, "fraud")
    store(service_engine, tenant, YESTERDAY, shadow)
    store(service_engine, tenant, YESTERDAY, other, "fraud")
    store(service_engine, tenant, YESTERDAY, None, "fraud")
    store(service_engine, tenant, NOW - timedelta(days=20), by_it)
    figures = rule_figures(service_engine, tenant.id, 10, datetime.now(UTC))
    first, second = figures.days[2]
    assert first == RuleDay((YESTERDAY - timedelta(days=1)).date(), 1, 0, 1, 1, 1, 100.0)
    assert second == RuleDay(YESTERDAY.date(), 2, 1, 1, 2, 1, 100.0)
    assert second.precision == 0.5
    assert figures.days[1] == [RuleDay(YESTERDAY.date(), 2, 1, 1, 2, 2, 200.0)]
    assert figures.days[12] == [RuleDay(YESTERDAY.date(), 1, 0, 0, 1, 1, 100.0)]
    assert set(figures.days) == {1, 2, 12}
    assert not figures.truncated


def test_beyond_a_number_of_hits_the_latest_count(service_engine: Engine, tenant: Tenant) -> None:
    by_it = Verdict("decline", DecidedBy("rule", 2, 1), fired=((2, 1),))
    for hour in range(4):
        store(service_engine, tenant, YESTERDAY - timedelta(days=hour), by_it)
        store(service_engine, tenant, YESTERDAY - timedelta(days=hour), None)
    figures = rule_figures(service_engine, tenant.id, 10, datetime.now(UTC), limit=3)
    assert [day.fires for day in figures.days[2]] == [1, 1, 1]
    assert figures.truncated
    assert not rule_figures(service_engine, tenant.id, 10, datetime.now(UTC), limit=4).truncated
    assert rule_figures(service_engine, tenant.id, 0.01, datetime.now(UTC)).days == {}


def test_money_follows_the_action() -> None:
    day = RuleDay(NOW.date(), fires=9, shadow=0, decided=9, labelled=5, frauds=2, fraud_amount=80.0)
    assert day.saved(COSTS, "review") == 2 * 10.0 + 0.5 * 80.0 - 3 * 3.0
    assert day.saved(COSTS, "decline") == 2 * 10.0 + 0.5 * 80.0 - 3 * 7.0
    assert day.saved(COSTS, "approve") == -(2 * 10.0 + 0.5 * 80.0)
    assert RuleDay(NOW.date(), 1, 0, 0, 0, 0, 0.0).precision is None
