"""`sentinel replay` recomputes a stored decision from its model version, to the last bit."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from sqlalchemy import Engine, text

from persistence.decisions.rows import Decided
from persistence.decisions.writer import DecisionLog
from persistence.deployments.recording import record_promotions, record_test_model
from persistence.rules.current import read_rules
from persistence.tenants import create_tenant
from persistence.uuid7 import unix_ms_of
from scoring.exploration import MAX_SHARE, Exploration
from scoring.model.rules_in_force import RulesInForce
from scoring.model.sandbox import fixed_prediction
from scoring.policy import CostModel, Policy
from scoring.prediction import ModelVersion
from scoring.transaction import PAYSIM
from sentinel.cli.main import main
from sentinel.command_actor import os_user
from sentinel.operations.replay import differences
from tests.support.data.own_events import CardTenant, decisions_of
from tests.support.data.policies import set_policy
from tests.support.data.rules import drop_list, put_list, put_rule, put_snooze, put_version
from tests.support.factories import a_decision, a_model, a_prediction
from tests.support.fixture_types import Rows
from tests.support.own_models import WITH_WINDOWS, a_model_of, features_of
from tests.support.stack import Publish

MODEL = "fraud-replayed"


@pytest.fixture
def replay(
    database: str, mlflow_server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[object], Result]:
    monkeypatch.setenv("DATABASE_URL", database)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", mlflow_server)
    monkeypatch.setenv("SENTINEL_HOME", str(tmp_path / "home"))
    return lambda prediction_id: CliRunner().invoke(main, ["replay", str(prediction_id)])


@pytest.fixture
def decided(engine: Engine, publish: Publish) -> Decided:
    """A decision of a registered version, stored."""
    version = ModelVersion(MODEL, publish(MODEL, a_model(seed=2)))
    model = a_model(seed=2, version=version)
    tenant = create_tenant(engine, "acme", MODEL)
    record_promotions(engine, [tenant.id], model)
    blank = a_decision(tenant.id, amount=1234.56)
    decided = blank._replace(prediction=model.predict([blank.transaction])[0])
    DecisionLog(engine).write([decided])
    return decided


def test_a_replayed_decision_is_equal_to_the_last_bit(
    replay: Callable[[object], Result], decided: Decided, rows: Rows
) -> None:
    result = replay(decided.prediction_id)
    assert result.exit_code == 0
    assert repr(decided.prediction.margin) in result.output
    (read,) = rows("SELECT via, object FROM access_log WHERE actor = :me", me=os_user())
    case = f"transactions/{decided.transaction_id}"
    assert read == {"via": "sentinel replay", "object": case}


def test_a_decision_at_a_tenants_policy_is_replayed_at_that_policy(
    replay: Callable[[object], Result], decided: Decided, engine: Engine
) -> None:
    before = set_policy(engine, decided.tenant_id, Policy.at(0.011, CostModel()), "admin")
    version = decided.prediction.model
    model = a_model(seed=2, version=version)
    blank = a_decision(decided.tenant_id)._replace(policy_id=before.id)
    (prediction,) = model.predict([blank.transaction], [Policy.at(0.011, CostModel())])
    DecisionLog(engine).write([blank._replace(prediction=prediction)])
    set_policy(engine, decided.tenant_id, Policy.at(0.9, CostModel()), "admin")
    assert prediction.threshold != decided.prediction.threshold
    assert replay(blank.prediction_id).exit_code == 0
    # At the version's own policy it would not repeat.
    with engine.begin() as connection:
        connection.execute(text("UPDATE predictions SET policy_id = NULL"))
    result = replay(blank.prediction_id)
    assert result.exit_code == 1
    assert "threshold: 0.011 is now 0.05" in result.output


@pytest.mark.parametrize("is_approved", [True, False])
def test_a_decision_by_chance_is_replayed_with_its_draw(
    replay: Callable[[object], Result], decided: Decided, engine: Engine, is_approved: bool
) -> None:
    explore = Exploration(MAX_SHARE, 1e6)
    policy = replace(Policy.at(1e-9, CostModel()), explore=explore)
    own = set_policy(engine, decided.tenant_id, policy, "admin")
    drawn = (a_decision(decided.tenant_id) for _ in itertools.count())
    blank = next(one for one in drawn if explore.approves(one.prediction_id) is is_approved)
    model = a_model(seed=2, version=decided.prediction.model)
    (prediction,) = model.predict([blank.transaction], [policy])
    prediction = prediction.randomised(explore, blank.transaction.amount, blank.prediction_id)
    assert prediction.decision == ("approve" if is_approved else "review")
    DecisionLog(engine).write([blank._replace(prediction=prediction, policy_id=own.id)])
    set_policy(engine, decided.tenant_id, Policy.at(0.9, CostModel()), "admin")
    assert replay(blank.prediction_id).exit_code == 0
    with engine.begin() as connection:
        other = "UPDATE predictions SET decision = :other WHERE id = :id"
        outcome = "review" if is_approved else "approve"
        connection.execute(text(other), {"other": outcome, "id": blank.prediction_id})
    assert "decision: " in replay(blank.prediction_id).output


def test_a_decision_of_a_release_without_randomised_approvals_is_replayed_at_a_policy_with_them(
    replay: Callable[[object], Result], decided: Decided, engine: Engine
) -> None:
    policy = replace(Policy.at(1e-9, CostModel()), explore=Exploration(MAX_SHARE, 1e6))
    own = set_policy(engine, decided.tenant_id, policy, "admin")
    model = a_model(seed=2, version=decided.prediction.model)
    blank = a_decision(decided.tenant_id)._replace(policy_id=own.id)
    (prediction,) = model.predict([blank.transaction], [policy])
    DecisionLog(engine).write([blank._replace(prediction=prediction)])
    assert replay(blank.prediction_id).exit_code == 0


def test_a_fixed_test_transaction_is_replayed_without_a_model(
    replay: Callable[[object], Result], engine: Engine
) -> None:
    tenant = create_tenant(engine, "tester", "fraud-none", is_test=True)
    record_test_model(engine, tenant.id)
    blank = a_decision(tenant.id, name_orig="TEST-HIGH")
    DecisionLog(engine).write([blank._replace(prediction=fixed_prediction(blank.transaction))])
    result = replay(blank.prediction_id)
    assert result.exit_code == 0
    assert "sentinel-test version 1" in result.output


def test_a_changed_decision_is_reported_with_status_1(
    replay: Callable[[object], Result], decided: Decided, engine: Engine
) -> None:
    with engine.begin() as connection:
        connection.execute(text("UPDATE predictions SET margin = margin + 1e-12"))
    result = replay(decided.prediction_id)
    assert result.exit_code == 1
    assert "margin: " in result.output
    assert "does not repeat" in result.output


def test_an_unknown_prediction_is_one_sentence(
    replay: Callable[[object], Result], decided: Decided
) -> None:
    result = replay(decided.transaction_id)
    assert (result.exit_code, result.output.count("\n")) == (1, 1)
    assert replay("seven").exit_code == 2


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"margin": 0.0}, "margin"),
        ({"score": 0.5}, "score"),
        ({"threshold": 0.5}, "threshold"),
        ({"decision": "approve"}, "decision"),
        ({"approval_probability": 0.05}, "approval_probability"),
        ({"contributions": [9.0, *a_prediction().contributions[1:]]}, "contribution of type"),
        ({"features": [9.0, *a_prediction().features[1:]]}, "feature type"),
    ],
)
def test_every_number_is_compared(change: dict[str, Any], named: str) -> None:
    assert differences(a_prediction(), a_prediction()) == []
    (result,) = differences(a_prediction(), a_prediction(**change))
    assert result.name == named


@pytest.fixture
def with_windows(engine: Engine, publish: Publish) -> Decided:
    """A stored decision of a version with windows, whose event had a past then."""
    features = features_of(WITH_WINDOWS)
    name = "fraud-windows"
    version = ModelVersion(name, publish(name, a_model_of(features)))
    model = a_model_of(features, version=version)
    cards = CardTenant(engine, features.event_type, "windows")
    record_promotions(engine, [cards.id], model)
    event = cards.event()
    windows = [np.array([float(i + 2)]) for i, _ in enumerate(features.windows)]
    (decided,) = decisions_of(cards.id, [event])
    decided = decided._replace(prediction=model.predict([event], window_values=windows)[0])
    DecisionLog(engine).write([decided])
    return decided


def test_features_that_use_windows_are_taken_as_stored_and_named(
    replay: Callable[[object], Result], with_windows: Decided
) -> None:
    result = replay(with_windows.prediction_id)
    assert result.exit_code == 0, result.output
    assert repr(with_windows.prediction.margin) in result.output
    last = "Taken as stored, because they use windows: events_1d, amount_over_mean, terminal_risk."
    assert result.output.splitlines()[-1] == last


def test_the_other_features_of_such_a_version_are_recomputed(
    replay: Callable[[object], Result], engine: Engine, with_windows: Decided
) -> None:
    place = with_windows.prediction.described.names.index("amount") + 1
    with engine.begin() as connection:
        connection.execute(
            text("UPDATE predictions SET feature_values[CAST(:place AS integer)] = 12.5"),
            {"place": place},
        )
    result = replay(with_windows.prediction_id)
    assert result.exit_code == 1
    assert "feature amount: 12.5 is now 57.16" in result.output
    assert "events_1d:" not in result.output


def test_a_decision_by_rules_and_lists_is_replayed_as_of_its_change(
    replay: Callable[[object], Result], decided: Decided, engine: Engine
) -> None:
    tenant_id = decided.tenant_id
    put_list(engine, tenant_id, "blocked", [decided.transaction.payer])
    rule = put_rule(engine, tenant_id, condition="amount > 1000 and score >= 0")
    in_shadow = put_rule(engine, tenant_id, name="shadow", condition="amount > 1", state="shadow")
    put_snooze(engine, tenant_id, 2, "nobody", datetime(2030, 1, 1, tzinfo=UTC), "account")
    stored = ruled(engine, decided)
    assert stored.prediction.ruling
    verdict = stored.prediction.ruling.verdict
    assert (verdict.outcome, verdict.fired, verdict.shadow) == ("decline", ((1, 1),), ((2, 1),))
    # What is in force afterwards has no part in it.
    put_version(engine, tenant_id, rule, condition="amount > 1e9")
    put_version(engine, tenant_id, in_shadow, state="live")
    drop_list(engine, tenant_id, "blocked")
    result = replay(stored.prediction_id)
    assert result.exit_code == 0, result.output
    with engine.begin() as connection:
        other = """UPDATE predictions SET ruling = ruling - 'shadow' WHERE id = :id"""
        connection.execute(text(other), {"id": stored.prediction_id})
    result = replay(stored.prediction_id)
    assert result.exit_code == 1
    assert "ruling: " in result.output


def ruled(engine: Engine, decided: Decided) -> Decided:
    """Return a decision of the same payment by the rules in force, stored."""
    blank = a_decision(decided.tenant_id, amount=1234.56)
    model = a_model(seed=2, version=decided.prediction.model)
    current = read_rules(engine, decided.tenant_id, None)
    assert current
    rules = RulesInForce(*current).of_model(PAYSIM, model.features)
    (prediction,) = model.predict([blank.transaction])
    moment_ms = unix_ms_of(blank.prediction_id)
    stored = blank._replace(
        prediction=rules.decide_with(blank.transaction, prediction, (), moment_ms)
    )
    DecisionLog(engine).write([stored])
    return stored
