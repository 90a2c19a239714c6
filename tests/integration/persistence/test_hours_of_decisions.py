"""Kept figures and what came since are what a count of every decision finds."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, text

from persistence.decisions.rows import Decided
from persistence.decisions.writer import DecisionLog
from persistence.hourly import folding, reading
from persistence.hourly.folding import GRACE, fold_hours
from persistence.hourly.reading import Figures, read_figures
from persistence.maintenance.maintenance import maintain
from persistence.maintenance.partitions import Month
from persistence.tenancy import tenant_transaction
from persistence.tenants import Tenant
from tests.support.data.hourly import assert_same, count_all
from tests.support.data.own_events import CardTenant, label
from tests.support.data.review import decide, say, store
from tests.support.event_types import an_event_type
from tests.support.factories import a_decision, decision_at
from tests.support.fixture_types import MakeTenant, Rows

NOW = datetime.now(UTC)
ZONE = "Asia/Kolkata"
TYPES = ("PAYMENT", "TRANSFER", "CASH_OUT")


def all_time(engine: Engine, tenant: Tenant) -> Figures:
    return read_figures(engine, tenant.id, None, "day", ZONE)


def fold(engine: Engine, tenant: Tenant, now: datetime = NOW) -> None:
    while fold_hours(engine, tenant.id, now):
        pass


def made(tenant: Tenant, chance: random.Random, moment: datetime) -> Decided:
    return decision_at(
        decide(
            tenant,
            chance.random() ** 3,
            amount=round(chance.lognormvariate(5, 1), 2),
            type=chance.choice(TYPES),
        ),
        moment,
    )


@pytest.mark.parametrize("seed", range(4))
def test_figures_are_those_of_a_count_whatever_was_added_when(
    engine: Engine,
    service_engine: Engine,
    make_tenant: MakeTenant,
    monkeypatch: pytest.MonkeyPatch,
    seed: int,
) -> None:
    monkeypatch.setattr(folding, "MAX_DECISIONS", 23)
    monkeypatch.setattr(folding, "MAX_LABELS", 5)
    chance = random.Random(seed)  # noqa: S311 - a test
    tenant, other = make_tenant("demo"), make_tenant("other")
    stored: list[Decided] = []
    now = NOW - timedelta(hours=8)
    for _ in range(12):
        now += timedelta(minutes=chance.uniform(0, 40))
        # A commit may be late: ids are up to nearly GRACE old when their rows appear.
        age = GRACE - timedelta(seconds=1)
        batch = [
            made(tenant, chance, now - chance.random() * age)
            for _ in range(chance.randrange(1, 40))
        ]
        store(engine, *batch, made(other, chance, now))
        stored += batch
        for decided in chance.sample(stored, min(len(stored), 9)):
            verdicts = ["confirmed_fraud", "false_positive", "escalated"]
            say(engine, decided, chance.choice(verdicts))
            if chance.random() < 0.5:
                label(
                    engine,
                    tenant.id,
                    decided.transaction_id,
                    chance.choice(["fraud", "legitimate"]),
                    now,
                    source=chance.choice(["chargeback", "customer"]),
                    is_reversal=chance.random() < 0.3,
                )
        if chance.random() < 0.6:
            # Labels have the database's time, which is that of the end of the test.
            fold(service_engine, tenant, now)
            if chance.random() < 0.7:
                forget_ages_of_labels(engine, tenant)
        assert_same(all_time(service_engine, tenant), count_all(engine, tenant.id))
    fold(service_engine, tenant, NOW + timedelta(hours=1))
    assert_same(all_time(service_engine, tenant), count_all(engine, tenant.id))
    with tenant_transaction(service_engine, tenant.id) as connection:
        left = connection.execute(text("SELECT sum(d) FROM decision_hours, unnest(decisions) AS d"))
        assert left.scalar_one() == len(stored), "all of it is kept, none of the other tenant's"


def forget_ages_of_labels(engine: Engine, tenant: Tenant) -> None:
    with tenant_transaction(engine, tenant.id) as connection:
        connection.execute(
            text(
                "UPDATE labels SET created_at = created_at - interval '1 hour'"
                " WHERE tenant_id = :tenant_id"
            ),
            {"tenant_id": tenant.id},
        )


def test_what_is_younger_than_the_grace_is_not_kept_yet_and_counted_all_the_same(
    engine: Engine, make_tenant: MakeTenant, rows: Rows
) -> None:
    tenant = make_tenant()
    now = datetime.now(UTC)  # NOW is that of the import, minutes ago in a long run
    old = decision_at(decide(tenant), now - GRACE - timedelta(minutes=1))
    store(engine, old, decide(tenant))
    fold(engine, tenant, now)
    assert rows("SELECT sum(d) AS n FROM decision_hours, unnest(decisions) AS d") == [{"n": 1}]
    late = decision_at(decide(tenant), now - GRACE + timedelta(seconds=1))
    store(engine, late)
    assert all_time(engine, tenant).total.total() == 3
    fold(engine, tenant, now + GRACE + timedelta(minutes=1))
    assert rows("SELECT sum(d) AS n FROM decision_hours, unnest(decisions) AS d") == [{"n": 3}]
    assert all_time(engine, tenant).total.total() == 3


def test_figures_go_with_the_month_that_retention_drops(
    owner: Engine, engine: Engine, make_tenant: MakeTenant
) -> None:
    tenant = make_tenant()
    this = Month.of(NOW)
    for age in (3, 2, 1, 0):
        moment = this.plus(-age).start
        decided = [decision_at(decide(tenant, score), moment) for score in (0.01, 0.2, 0.7)]
        store(engine, *decided)
        say(engine, decided[1], "confirmed_fraud")
    forget_ages_of_labels(engine, tenant)
    fold(engine, tenant)
    assert all_time(engine, tenant).total.total() == 12
    maintain(owner, NOW, retain_months=1)
    figures = all_time(engine, tenant)
    assert figures.total.total() == 6
    assert figures.since == this.plus(-1).start
    assert_same(figures, count_all(engine, tenant.id))


def test_a_repeated_external_id_is_one_event(engine: Engine, make_tenant: MakeTenant) -> None:
    tenant = make_tenant()
    for _ in range(3):
        DecisionLog(engine).write([a_decision(tenant.id, external_id="order-1")])
    assert all_time(engine, tenant).total.total() == 1


def test_a_span_holds_its_own_hours_and_what_waits_from_before(
    engine: Engine, make_tenant: MakeTenant
) -> None:
    tenant = make_tenant()
    hour = NOW.replace(minute=0, second=0, microsecond=0)
    for ages in (1, 2, 30, 31):
        store(engine, decision_at(decide(tenant, 0.2, amount=10.0), hour - timedelta(hours=ages)))
    for _ in range(2):
        figures = read_figures(engine, tenant.id, hour - timedelta(hours=24), "hour", "UTC")
        assert figures.total.total() == 2
        assert sorted(figures.parts) == [hour - timedelta(hours=2), hour - timedelta(hours=1)]
        assert (figures.waiting["medium"].count, figures.waiting["medium"].amount) == (4, 40.0)
        assert figures.oldest == hour - timedelta(hours=31)
        fold(engine, tenant)


def test_days_and_hours_of_the_week_are_those_of_the_tenants_zone(
    engine: Engine, make_tenant: MakeTenant
) -> None:
    tenant = make_tenant()
    monday = datetime(2026, 3, 2, 23, 30, tzinfo=UTC)
    store(engine, decision_at(decide(tenant), monday))
    for _ in range(2):
        figures = read_figures(engine, tenant.id, None, "day", "Europe/Berlin")
        assert list(figures.parts) == [datetime(2026, 3, 2, 23, tzinfo=UTC)], "Tuesday in Berlin"
        assert figures.hours_of_week[1][0] == 1
        fold(engine, tenant)


def test_more_than_a_reader_waits_for_is_said_and_not_guessed(
    engine: Engine, make_tenant: MakeTenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "MAX_DECISIONS", 3)
    tenant = make_tenant()
    start = NOW - timedelta(days=1)
    store(engine, *(decision_at(decide(tenant), start) for _ in range(4)))
    assert all_time(engine, tenant).left_since is not None
    fold(engine, tenant)
    figures = all_time(engine, tenant)
    assert (figures.left_since, figures.total.total()) == (None, 4)


def test_two_processes_add_a_decision_once(engine: Engine, make_tenant: MakeTenant) -> None:
    tenant = make_tenant()
    store(engine, decision_at(decide(tenant), NOW - timedelta(hours=1)))
    fold(engine, tenant)
    with tenant_transaction(engine, tenant.id) as connection:
        connection.execute(text("SELECT FROM hour_counting FOR UPDATE"))
        store(engine, decision_at(decide(tenant), NOW - timedelta(minutes=1)))
        assert not fold_hours(engine, tenant.id, NOW + timedelta(hours=1))
        assert all_time(engine, tenant).total.total() == 2
    fold(engine, tenant, NOW + timedelta(hours=1))
    assert all_time(engine, tenant).total.total() == 2


def test_values_of_a_category_beyond_the_first_ones_are_one_count(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("persistence.hourly.counts.MAX_VALUES", 2)
    cards = CardTenant(engine, an_event_type())
    (name,) = (n for n, f in cards.stored.event_type.kept.items() if f.kind == "category")
    values = cards.stored.event_type.kept[name].values
    assert values
    assert len(values) >= 3
    moment = NOW - timedelta(hours=9)
    for place, value in enumerate([*values[:3], *values[:3]]):
        store(
            engine,
            decision_at(cards.decided(**{name: value}), moment + timedelta(hours=place)),
        )
    for _ in range(2):
        figures = read_figures(engine, cards.id, None, "day", "UTC")
        found = [(value, count.decisions) for value, count in figures.categories[name]]
        assert sorted(found[:2]) == sorted([(values[0], 2), (values[1], 2)])
        assert found[2] == (None, 2)
        fold(engine, cards.tenant)
