"""Decisions of the past are in the figures, though processes add to them all the while."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine

from persistence.actor import Actor
from persistence.hourly.folding import fold_hours
from persistence.hourly.holding import figures_held
from persistence.hourly.reading import read_figures
from persistence.maintenance.maintenance import maintain
from tests.support.data.hourly import assert_same, count_all
from tests.support.data.review import decide, store
from tests.support.factories import decision_at
from tests.support.fixture_types import MakeTenant

NOW = datetime.now(UTC)
BEGIN = NOW - timedelta(days=14)
ACTOR = Actor("setup")


def test_what_is_decided_at_earlier_times_is_counted_once(
    engine: Engine, service_engine: Engine, make_tenant: MakeTenant
) -> None:
    tenant = make_tenant("demo")
    maintain(engine, BEGIN, keep_events=True)
    with figures_held(engine, tenant.id, BEGIN, ACTOR):
        for day in range(14):
            moment = BEGIN + timedelta(days=day, hours=1)
            store(engine, decision_at(decide(tenant, day / 14), moment))
            assert not fold_hours(service_engine, tenant.id, NOW), "another process adds nothing"
    store(engine, decide(tenant, 0.5))
    for _ in range(2):
        while fold_hours(service_engine, tenant.id, NOW):
            pass
        figures = read_figures(service_engine, tenant.id, None, "day", "UTC")
        assert_same(figures, count_all(engine, tenant.id))
        assert figures.total.total() == 15


def test_a_process_that_added_to_the_figures_before_does_not_leave_the_past_out(
    engine: Engine, service_engine: Engine, make_tenant: MakeTenant
) -> None:
    tenant = make_tenant("demo")
    maintain(engine, BEGIN, keep_events=True)
    with figures_held(engine, tenant.id, BEGIN, ACTOR):
        pass
    while fold_hours(service_engine, tenant.id, NOW):
        pass
    with figures_held(engine, tenant.id, BEGIN, ACTOR):
        store(engine, decision_at(decide(tenant, 0.5), BEGIN + timedelta(days=1)))
    while fold_hours(service_engine, tenant.id, NOW):
        pass
    assert read_figures(service_engine, tenant.id, None, "day", "UTC").total.total() == 1


def test_a_tenant_that_has_decided_has_its_past(engine: Engine, make_tenant: MakeTenant) -> None:
    tenant = make_tenant("demo")
    store(engine, decide(tenant, 0.5))
    with (
        pytest.raises(ValueError, match="the tenant has decisions"),
        figures_held(engine, tenant.id, BEGIN, ACTOR),
    ):
        pass
