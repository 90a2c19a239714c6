from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.policy import CostModel, Policy, policy_from_numbers

AMOUNT = np.array([100.0, 2000.0, 30.0, 500.0])
IS_FRAUD = np.array([True, True, False, False])


def flags(*values: int) -> np.ndarray[Any, Any]:
    return np.array(values, dtype=bool)


@pytest.mark.parametrize(
    ("flagged", "flat", "by_amount"),
    [
        (flags(0, 0, 0, 0), 0.0, 0.0),
        (flags(1, 1, 0, 0), 2000.0, 2100.0),
        (flags(0, 1, 1, 1), 990.0, 1990.0),
        (flags(0, 0, 1, 0), -5.0, -5.0),
    ],
)
def test_savings_are_frauds_caught_minus_false_alarms(
    flagged: np.ndarray[Any, Any], flat: float, by_amount: float
) -> None:
    assert CostModel().net_savings(AMOUNT, IS_FRAUD, flagged) == flat
    assert CostModel(0, 1, 5).net_savings(AMOUNT, IS_FRAUD, flagged) == by_amount


@given(st.lists(st.booleans(), min_size=4, max_size=4))
def test_no_decisions_save_more_than_reviewing_exactly_the_frauds(flagged: list[bool]) -> None:
    costs = CostModel(10, 0.5, 5)
    perfect = costs.perfect_savings(AMOUNT, IS_FRAUD)
    assert costs.net_savings(AMOUNT, IS_FRAUD, np.array(flagged)) <= perfect


@pytest.mark.parametrize(
    "costs",
    [(-1, 0, 5), (1000, 0, 0), (0, 0, 5), (float("nan"), 0, 5), (1000, float("inf"), 5)],
)
def test_invalid_costs_are_refused(costs: tuple[float, float, float]) -> None:
    with pytest.raises(ValueError, match="cost"):
        CostModel(*costs)


@pytest.mark.parametrize("cost", [0.0, -1.0, float("nan"), float("inf")])
def test_an_invalid_cost_of_a_false_decline_is_refused(cost: float) -> None:
    with pytest.raises(ValueError, match="cost"):
        CostModel(false_decline=cost)


def test_a_false_decline_costs_what_a_false_alarm_does_unless_it_has_a_cost_of_its_own() -> None:
    assert CostModel(false_alarm=7).declined_honest == 7
    assert CostModel(false_alarm=7, false_decline=40).declined_honest == 40


def test_a_fraud_without_an_amount_costs_the_fixed_part_alone() -> None:
    costs = CostModel(100, 0.5, 5).missed_costs(np.array([10.0, np.nan]))
    assert costs.tolist() == [105.0, 100.0]


def test_at_break_even_both_errors_have_the_same_expected_cost() -> None:
    costs = CostModel(missed_fraud=95, false_alarm=5)
    p = costs.break_even()
    assert p == 0.05
    assert p * costs.missed_fraud == pytest.approx((1 - p) * costs.false_alarm)
    with pytest.raises(ValueError, match="share"):
        CostModel(1000, 0.1, 5).break_even()


@given(st.floats(0.0001, 0.9999), st.floats(0, 1))
def test_a_transaction_is_reviewed_exactly_outside_of_the_low_band(
    threshold: float, score: float
) -> None:
    policy = Policy.at(threshold, CostModel())
    assert (policy.decide(score) == "review") == (policy.risk_band(score) != "low")
    assert (policy.decide(score) == "review") == (score >= threshold)


@pytest.mark.parametrize("threshold", [0.0, 1.0, -0.1, float("nan")])
def test_a_threshold_outside_zero_and_one_is_refused(threshold: float) -> None:
    with pytest.raises(ValueError, match="threshold"):
        Policy(CostModel(), threshold, 0.5)


def test_a_policy_is_equal_after_json() -> None:
    for costs in (CostModel(0, 1, 5), CostModel(0, 1, 5, 40)):
        policy = Policy.at(1 / 3, costs)
        assert policy_from_numbers(json.loads(json.dumps(policy.as_numbers()))) == policy


def test_a_policy_without_a_cost_of_a_false_decline_is_written_as_before() -> None:
    assert Policy.at(0.05, CostModel()).as_numbers() == {
        "cost_model": {"missed_fraud": 1000.0, "missed_fraud_share": 0.0, "false_alarm": 5.0},
        "threshold": 0.05,
        "high_from": 0.5,
    }


@pytest.mark.parametrize(
    "change",
    [
        {"threshold": None},
        {"threshold": 1.5},
        {"high_from": 0.001},
        {"cost_model": None},
        {"cost_model": {"missed_fraud": 1, "surprise": 2}},
    ],
)
def test_invalid_policy_numbers_are_refused(change: dict[str, Any]) -> None:
    numbers = Policy.at(0.05, CostModel()).as_numbers() | change
    with pytest.raises(ValueError, match=r"policy|threshold|high_from"):
        policy_from_numbers(numbers)


def test_a_policy_that_declines_is_equal_after_json() -> None:
    declining = Policy(CostModel(), 0.1, 0.5, None, 0.9)
    assert policy_from_numbers(json.loads(json.dumps(declining.as_numbers()))) == declining
    assert "decline_from" not in Policy(CostModel(), 0.1, 0.5).as_numbers()
    assert [declining.decide(score) for score in (0.09, 0.1, 0.89, 0.9)] == [
        "approve",
        "review",
        "review",
        "decline",
    ]
