"""Matured decisions of which chance approved some: their weights, and what is shown of them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from sqlalchemy import Engine

from persistence.decisions.rows import Decided
from persistence.decisions.shadow_scores import ShadowLog
from persistence.deployments.recording import record_challenger
from persistence.labels.reader import (
    SELECTION_BIAS,
    read_matured,
    read_matured_pairs,
    read_matured_transactions,
    selection_bias,
)
from persistence.tenants import Tenant
from scoring.prediction import ModelVersion
from tests.support.data.review import NOW, decide, say, store
from tests.support.data.shadow import a_shadow_score
from tests.support.factories import a_model, decision_at
from tests.support.fixture_types import MakeTenant
from tests.support.management_api import connected

CHAMPION, CHALLENGER = ModelVersion("fraud-demo", 1), ModelVersion("fraud-demo", 2)
SPAN: dict[str, Any] = {
    "maturity_days": 30.0,
    "window_days": 60.0,
    "limit": 1000,
    "as_of": NOW + timedelta(hours=1),
}


def decided(tenant: Tenant, days: int, score: float, chance: Any = None) -> Decided:
    """A decision made so many days ago; `chance` is the outcome at a probability of 0.05."""
    made = decision_at(decide(tenant, score, amount=float(days)), NOW - timedelta(days=days))
    if chance is None:
        return made
    drawn = made.prediction._replace(decision=chance, approval_probability=0.05)
    return made._replace(prediction=drawn)


@pytest.fixture
def tenant(engine: Engine, make_tenant: MakeTenant) -> Tenant:
    """A tenant with a champion and a challenger."""
    tenant = make_tenant()
    record_challenger(engine, tenant.id, a_model(version=CHALLENGER), 5.0)
    return tenant


@pytest.fixture
def explored(service_engine: Engine, tenant: Tenant) -> list[Decided]:
    """Decisions by their age, 31 to 36 days, with shadow scores; one of the reviews is labelled."""
    made = [
        decided(tenant, 31, 0.9, "approve"),
        decided(tenant, 32, 0.9, "review"),
        decided(tenant, 33, 0.8, "review"),
        decided(tenant, 34, 0.01),
        decided(tenant, 35, 0.9),
        decided(tenant, 36, 0.7, "approve"),
    ]
    store(service_engine, *made)
    ShadowLog(service_engine).write([a_shadow_score(one, 0.02) for one in made])
    say(service_engine, made[0], "confirmed_fraud")
    say(service_engine, made[2], "confirmed_fraud")
    return made


WEIGHTS = [20.0, 0.0, 0.0, 1.0, 1.0, 20.0]


@pytest.mark.usefixtures("explored")
def test_what_chance_approved_stands_for_reviews_in_every_study(
    service_engine: Engine, tenant: Tenant
) -> None:
    matured = read_matured(service_engine, tenant.id, **SPAN)
    assert matured.amount.tolist() == [31, 32, 33, 34, 35, 36]
    assert matured.weights.tolist() == WEIGHTS
    transactions = read_matured_transactions(service_engine, tenant.id, **SPAN)
    assert transactions.weights.tolist() == WEIGHTS
    pairs = read_matured_pairs(service_engine, tenant.id, CHAMPION, CHALLENGER, **SPAN)
    assert pairs.weights.tolist() == WEIGHTS
    assert pairs.champion_review.tolist() == [True, True, True, False, True, True], "by its score"
    bias = selection_bias(matured.weights, matured.is_fraud)
    assert bias.startswith(SELECTION_BIAS)
    assert "2 payments that were approved at random stand for 4 would-be reviews; 1 of" in bias


def test_once_every_review_that_was_drawn_is_labelled_each_decision_counts_once(
    service_engine: Engine, tenant: Tenant, explored: list[Decided]
) -> None:
    say(service_engine, explored[1], "false_positive")
    matured = read_matured(service_engine, tenant.id, **SPAN)
    assert matured.weights.tolist() == [1.0] * 6
    assert selection_bias(matured.weights, matured.is_fraud) == SELECTION_BIAS


def test_without_exploration_each_decision_counts_once(
    service_engine: Engine, tenant: Tenant
) -> None:
    store(service_engine, decided(tenant, 31, 0.9), decided(tenant, 32, 0.01))
    for read in (read_matured, read_matured_transactions):
        assert read(service_engine, tenant.id, **SPAN).weights.tolist() == [1.0, 1.0]


@pytest.mark.usefixtures("explored")
def test_another_tenants_randomised_approvals_change_nothing(
    service_engine: Engine, tenant: Tenant, make_tenant: MakeTenant
) -> None:
    other = make_tenant("other")
    store(service_engine, decided(other, 31, 0.9), decided(other, 32, 0.9))
    assert read_matured(service_engine, other.id, **SPAN).weights.tolist() == [1.0, 1.0]
    assert read_matured(service_engine, tenant.id, **SPAN).weights.tolist() == WEIGHTS


@pytest.mark.usefixtures("explored")
def test_the_tuner_counts_what_randomised_approvals_stand_for(
    service_engine: Engine, tenant: Tenant
) -> None:
    with connected(service_engine) as request:
        reply = request(tenant.id, "GET", "/tuner").json()
    assert [reply[name] for name in ("matured", "labelled", "presumed_honest", "unknown")] == [
        6, 1, 3, 2,
    ]  # fmt: skip
    assert reply["frauds"] == 1
    current = reply["current"]
    # Four would-be reviews were drawn and half of those that show it were frauds; one was not.
    counted = {name: current[name] for name in ("alerts", "caught", "missed", "false_alarms")}
    assert counted == {"alerts": 5, "caught": 2, "missed": 0, "false_alarms": 3}
    assert "stand for 4 would-be reviews" in reply["selection_bias"]
    assert "too short" in reply["selection_bias"]


def test_the_comparison_of_versions_counts_what_they_stand_for(
    service_engine: Engine, tenant: Tenant
) -> None:
    made = [decided(tenant, 31, 0.9, "approve") for _ in range(25)]
    made += [decided(tenant, 32, 0.9, "review") for _ in range(75)]
    made += [decided(tenant, 33, 0.01) for _ in range(100)]
    store(service_engine, *made)
    ShadowLog(service_engine).write([a_shadow_score(one, 0.02) for one in made])
    for one in made[:20]:
        say(service_engine, one, "confirmed_fraud")
    with connected(service_engine) as request:
        reply = request(tenant.id, "GET", "/models").json()
    found = reply["comparison"]
    assert (found["matured"], found["unknown"], found["frauds"]) == (200, 75, 20)
    assert found["champion"]["alerts"]["value"] == pytest.approx(100)
    assert found["champion"]["caught"]["value"] == pytest.approx(80)
    assert found["champion"]["false_alarms"]["value"] == pytest.approx(20)
    assert found["challenger"]["missed"]["value"] == pytest.approx(80)
    assert found["difference"]["value"] == pytest.approx(-(80 * 1000 - 20 * 5))
    interval = found["champion"]["caught"]
    assert interval["low"] < 70
    assert interval["high"] > 90
    assert np.isfinite(found["difference"]["low"])
