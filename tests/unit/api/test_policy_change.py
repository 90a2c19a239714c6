"""Partial changes of a policy: what is left out stays."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from api.models.policy_change import changed_costs, changed_policy
from scoring.errors import InvalidRequest
from scoring.exploration import Exploration
from scoring.policy import CostModel, Policy

CURRENT = Policy(CostModel(1000.0, 0.0, 5.0), threshold=0.05, high_from=0.5)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"threshold": 0.2}, (1000.0, 0.2, 0.5)),
        ({"threshold": 0.7}, (1000.0, 0.7, 0.7)),
        ({"high_from": 0.9}, (1000.0, 0.05, 0.9)),
        ({"cost_model": {"missed_fraud": 45.0}}, (45.0, 0.1, 0.5)),
        ({"cost_model": {"missed_fraud": 45.0}, "threshold": 0.3}, (45.0, 0.3, 0.5)),
    ],
)
def test_what_is_left_out_stays(changes: dict[str, Any], expected: tuple[float, ...]) -> None:
    policy = changed_policy(CURRENT, changes)
    assert (policy.cost_model.missed_fraud, policy.threshold, policy.high_from) == expected
    assert policy.cost_model.false_alarm == 5.0


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({}, "body"),
        ({"cost_model": {}}, "cost_model"),
        ({"high_from": 0.01}, "high_from"),
        ({"threshold": 0.6, "high_from": 0.5}, "high_from"),
        ({"cost_model": {"false_alarm": 0.0}}, "cost_model.false_alarm"),
        ({"cost_model": {"false_decline": 0.0}}, "cost_model.false_decline"),
        ({"decline_from": 0.04}, "decline_from"),
        ({"decline_from": 0.5, "threshold": 0.6}, "decline_from"),
        ({"cost_model": {"missed_fraud_share": 1.0}}, "threshold"),
        ({"cost_model": {"missed_fraud": 1e-30, "false_alarm": 1e12}}, "cost_model"),
    ],
)
def test_a_contradiction_names_its_field(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        changed_policy(CURRENT, changes)
    assert [error.field for error in refused.value.errors] == [field]


def test_randomised_approvals_are_set_kept_and_ended() -> None:
    explore = {"share": 0.02, "max_amount": 200.0}
    exploring = changed_policy(CURRENT, {"explore": explore})
    assert exploring == replace(CURRENT, explore=Exploration(0.02, 200.0))
    kept = changed_policy(exploring, {"threshold": 0.2, "cost_model": {"false_alarm": 7.0}})
    assert kept.explore == exploring.explore
    assert changed_policy(kept, {"explore": None}).explore is None


def test_the_decline_threshold_is_set_kept_and_ended() -> None:
    changes = {"decline_from": 0.9, "cost_model": {"false_decline": 40.0}}
    declining = changed_policy(CURRENT, changes)
    assert (declining.threshold, declining.decline_from) == (0.05, 0.9)
    assert declining.cost_model.false_decline == 40.0
    kept = changed_policy(declining, {"threshold": 0.2})
    assert (kept.decline_from, kept.cost_model.false_decline) == (0.9, 40.0)
    assert changed_policy(kept, {"decline_from": None}).decline_from is None
    assert changed_policy(kept, {"cost_model": {"false_decline": None}}).cost_model == CostModel()


def test_costs_of_a_query_are_not_nested() -> None:
    with pytest.raises(InvalidRequest) as refused:
        changed_costs(CURRENT.cost_model, {"missed_fraud": 0.0})
    assert [error.field for error in refused.value.errors] == ["missed_fraud"]
