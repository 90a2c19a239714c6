"""Estimates are right where the probabilities are, and their ranges hold what chance does."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pytest

from scoring.columns import BoolArray, FloatArray
from scoring.evaluation.estimated import (
    ExpectedFrauds,
    Performance,
    chance_ranges,
    performance,
)
from scoring.policy import OUTCOMES, CostModel

COSTS = CostModel(missed_fraud=20.0, missed_fraud_share=0.8, false_alarm=4.0, false_decline=9.0)


def sums(values: FloatArray, outcome: FloatArray) -> list[float]:
    return [float(values[outcome == place].sum()) for place in range(len(OUTCOMES))]


def expected(p: FloatArray, amount: FloatArray, outcome: FloatArray) -> ExpectedFrauds:
    v = p * (1 - p)
    return ExpectedFrauds(
        *(sums(one, outcome) for one in (p, p * amount, v, v * amount, v * amount**2))
    )


def known(is_fraud: BoolArray, amount: FloatArray, outcome: FloatArray) -> Performance:
    fraud = is_fraud.astype(float)
    decisions = sums(np.ones_like(amount), outcome)
    return performance(decisions, sums(fraud, outcome), sums(fraud * amount, outcome), COSTS)


def payments(seed: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    chance = np.random.default_rng(seed)
    p = chance.beta(0.2, 3.0, 4000)
    return p, chance.lognormal(4, 1, p.size), np.digitize(p, [0.1, 0.6])


def test_certain_probabilities_give_what_is_known() -> None:
    p, amount, outcome = payments(1)
    is_fraud = np.random.default_rng(2).random(p.size) < p
    certain = expected(is_fraud.astype(float), amount, outcome)
    decisions = sums(np.ones_like(amount), outcome)
    estimate = performance(decisions, certain.frauds, certain.fraud_amounts, COSTS)
    assert asdict(estimate) == pytest.approx(asdict(known(is_fraud, amount, outcome)))
    for name, (low, high) in chance_ranges(decisions, certain, COSTS).items():
        assert low == high == pytest.approx(getattr(estimate, name))


def test_savings_are_those_of_the_cost_model() -> None:
    p, amount, outcome = payments(3)
    is_fraud = np.random.default_rng(4).random(p.size) < p
    outcome = np.minimum(outcome, 1)  # without declines, which the function does not know
    assert known(is_fraud, amount, outcome).saved == pytest.approx(
        COSTS.net_savings(amount, is_fraud, outcome == 1)
    )


def test_what_comes_out_is_in_the_range_in_19_of_20_cases() -> None:
    p, amount, outcome = payments(5)
    decisions, of_chance = sums(np.ones_like(amount), outcome), expected(p, amount, outcome)
    ranges = chance_ranges(decisions, of_chance, COSTS)
    assert set(ranges) == {"caught", "missed", "precision", "recall", "saved"}
    chance = np.random.default_rng(6)
    inside = dict.fromkeys(ranges, 0)
    for _ in range(1000):
        came_out = known(chance.random(p.size) < p, amount, outcome)
        for name, (low, high) in ranges.items():
            inside[name] += low <= getattr(came_out, name) <= high
    for name, times in inside.items():
        assert 925 <= times <= 975, name  # four standard deviations and what rounding takes


def test_probabilities_that_are_too_low_are_found() -> None:
    p, amount, outcome = payments(7)
    ranges = chance_ranges(
        sums(np.ones_like(amount), outcome), expected(p * 0.7, amount, outcome), COSTS
    )
    is_fraud = np.random.default_rng(8).random(p.size) < p
    assert known(is_fraud, amount, outcome).caught > ranges["caught"][1]


def test_nothing_is_invented_without_decisions_frauds_or_costs() -> None:
    none = [0.0] * len(OUTCOMES)
    assert performance(none, none, none, None) == Performance(0.0, 0.0, None, None, None)
    assert chance_ranges(none, ExpectedFrauds(none, none, none, none, none), None) == {
        "caught": (0.0, 0.0),
        "missed": (0.0, 0.0),
    }
