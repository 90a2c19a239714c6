"""Sums of probabilities by hour are those of every decision, whenever they were added."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Engine, text

from persistence.decisions.rows import Decided
from persistence.hourly import expected, folding
from persistence.hourly.expected import ExpectedDay, fold_expected, read_expected
from persistence.hourly.folding import GRACE, fold_hours
from persistence.maintenance.maintenance import maintain
from persistence.tenancy import tenant_transaction
from persistence.tenants import Tenant
from scoring.policy import OUTCOMES
from tests.support.data.review import decide, say, store
from tests.support.factories import decision_at
from tests.support.fixture_types import MakeTenant, Rows

NOW = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
ZONE = "Europe/Berlin"
LATER = NOW + GRACE


def made(tenant: Tenant, chance: random.Random, moment: datetime) -> Decided:
    amount = round(chance.lognormvariate(5, 1), 2)
    return decision_at(decide(tenant, chance.random() ** 3, amount=amount), moment)


def fold(engine: Engine, tenant: Tenant) -> None:
    while fold_hours(engine, tenant.id, datetime.now(UTC) + 2 * GRACE):
        pass
    while fold_expected(engine, tenant.id):
        pass


def read(engine: Engine, tenant: Tenant) -> list[ExpectedDay]:
    return read_expected(engine, tenant.id, NOW - timedelta(days=90), ZONE)[1]


def test_each_decision_is_added_once(
    engine: Engine,
    service_engine: Engine,
    make_tenant: MakeTenant,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(folding, "MAX_DECISIONS", 17)
    chance = random.Random(1)  # noqa: S311 - a test
    tenant, other = make_tenant("demo"), make_tenant("other")
    decisions = [made(tenant, chance, NOW - timedelta(hours=i / 4)) for i in range(1, 200)]
    store(engine, *decisions, *(made(other, chance, NOW - timedelta(hours=1)) for _ in range(9)))
    for decided in decisions[::7]:
        say(engine, decided, "confirmed_fraud")
    assert read(service_engine, tenant) == []
    fold(service_engine, tenant)
    fold(service_engine, tenant)
    days = read(service_engine, tenant)
    assert [one.start for one in days] == sorted({_day(one) for one in decisions})
    for day in days:
        for place, outcome in enumerate(OUTCOMES):
            its = [
                one
                for one in decisions
                if _day(one) == day.start and one.prediction.decision == outcome
            ]
            pairs = [(one.prediction.score, one.transaction.amount or 0.0) for one in its]
            assert day.decisions[place] == len(its)
            assert day.frauds[place] == sum(one in decisions[::7] for one in its)
            for name, term in {
                "frauds": lambda p, _: p,
                "fraud_amounts": lambda p, a: p * a,
                "variances": lambda p, _: p * (1 - p),
                "variance_amounts": lambda p, a: p * (1 - p) * a,
                "variance_squares": lambda p, a: p * (1 - p) * a * a,
            }.items():
                sums = getattr(day.expected, name)
                assert sums[place] == pytest.approx(sum(term(*pair) for pair in pairs)), name


def _day(decided: Decided) -> datetime:
    local = datetime.fromtimestamp((decided.prediction_id.int >> 80) / 1000, ZoneInfo(ZONE))
    return local.replace(hour=0, minute=0, second=0, microsecond=0)


def test_decisions_of_an_earlier_release_are_added(engine: Engine, make_tenant: MakeTenant) -> None:
    tenant, chance = make_tenant(), random.Random(2)  # noqa: S311
    store(engine, *(made(tenant, chance, NOW - timedelta(hours=i)) for i in range(1, 9)))
    while fold_hours(engine, tenant.id, LATER):
        pass
    assert read(engine, tenant) == []
    fold(engine, tenant)
    assert sum(sum(one.decisions) for one in read(engine, tenant)) == 8


def test_an_hour_that_is_not_over_is_left_out(engine: Engine, make_tenant: MakeTenant) -> None:
    tenant, chance = make_tenant(), random.Random(3)  # noqa: S311
    moments = (NOW - timedelta(minutes=1), NOW + timedelta(seconds=1))
    store(engine, *(made(tenant, chance, moment) for moment in moments))
    while fold_hours(engine, tenant.id, LATER + timedelta(minutes=10)):
        pass
    while fold_expected(engine, tenant.id):
        pass
    until, days = read_expected(engine, tenant.id, NOW - timedelta(days=1), ZONE)
    assert until == NOW
    assert sum(sum(one.decisions) for one in days) == 1


def test_a_dropped_month_takes_its_sums_along(
    owner: Engine, engine: Engine, make_tenant: MakeTenant, rows: Rows
) -> None:
    tenant, chance = make_tenant(), random.Random(4)  # noqa: S311
    old = NOW - timedelta(days=100)
    store(engine, made(tenant, chance, old), made(tenant, chance, NOW - timedelta(hours=1)))
    fold(engine, tenant)
    assert rows("SELECT count(*) FROM expected_hours") == [{"count": 2}]
    maintain(owner, NOW, retain_months=1)
    assert rows("SELECT count(*) FROM expected_hours") == [{"count": 1}]


def test_while_another_process_adds_nothing_is_done(
    engine: Engine, make_tenant: MakeTenant, rows: Rows
) -> None:
    tenant, chance = make_tenant(), random.Random(5)  # noqa: S311
    store(engine, made(tenant, chance, NOW - timedelta(hours=1)))
    while fold_hours(engine, tenant.id, LATER):
        pass
    with tenant_transaction(engine, tenant.id) as connection:
        connection.execute(text("SELECT FROM hour_counting FOR UPDATE"))
        assert expected.fold_expected(engine, tenant.id) is False
    assert rows("SELECT count(*) FROM expected_hours") == [{"count": 0}]
