"""Weights of decisions of which chance approved some: who stands for whom."""

from __future__ import annotations

import numpy as np
import pytest

from scoring.evaluation.bootstrap import draws
from scoring.evaluation.comparison import Decisions, compare
from scoring.evaluation.cost_curve import cost_curve
from scoring.evaluation.probability_metrics import brier, expected_calibration_error
from scoring.evaluation.weights import observation_weights, scaled
from scoring.policy import CostModel
from tests.support.data.explored import DRAWN, THRESHOLD, explored

NO_CHANCE = float("nan")
COSTS = CostModel(50.0, 0.5, 5.0)


def weights(*decisions: tuple[float, bool, bool]) -> list[float]:
    """Return the weights of decisions: probability, approved, labelled."""
    probability, approved, labelled = zip(*decisions, strict=True)
    return observation_weights(
        np.array(probability), np.array(approved), np.array(labelled)
    ).tolist()


def test_an_approved_payment_stands_for_1_over_its_probability_and_a_review_for_none() -> None:
    assert weights(
        (NO_CHANCE, True, False),
        (NO_CHANCE, False, False),
        (0.05, True, False),
        (0.1, True, True),
        (0.05, False, False),
        (0.05, False, True),
    ) == [1.0, 1.0, 20.0, 10.0, 0.0, 0.0]


def test_where_every_review_that_was_drawn_has_a_label_each_payment_counts_once() -> None:
    assert weights((0.05, True, False), (0.05, False, True), (NO_CHANCE, False, False)) == [1.0] * 3


def test_where_none_was_approved_nothing_stands_for_the_reviews() -> None:
    assert weights((0.05, False, False), (0.05, False, True), (NO_CHANCE, True, False)) == [1.0] * 3


def test_without_decisions_there_are_no_weights() -> None:
    nothing = np.zeros(0)
    none = nothing.astype(bool)
    assert observation_weights(nothing, none, none).shape == (0,)


def test_scaled_weights_add_up_to_the_number_that_was_drawn() -> None:
    counts = scaled(np.array([1.0, 20.0, 10.0, 0.0, 0.0, 0.0, 1.0]))
    assert counts[[0, -1]].tolist() == [1.0, 1.0]
    assert counts[1:-1].sum() == pytest.approx(5)
    assert counts[1] == pytest.approx(2 * counts[2])


def test_each_resample_stands_for_as_many_payments_as_the_sample() -> None:
    of_group = np.array([1.0, 20.0, 10.0, 0.0])
    counts = np.array([500, 20, 10, 300])
    drawn = np.concatenate(list(draws(counts, of_group, 300, np.random.default_rng(0))))
    assert drawn.sum(axis=1) == pytest.approx(counts.sum())
    assert (drawn[:, 3] == 0).all()


def test_a_cost_curve_with_weights_is_that_of_the_payments_that_they_stand_for() -> None:
    given = explored()
    curve = cost_curve(given.score, given.amount, given.is_fraud, COSTS, given.weights)
    score, amount, is_fraud = given.replicated(given.score, given.amount, given.is_fraud)
    plain = cost_curve(score, amount, is_fraud.astype(bool), COSTS)
    for threshold in (0.01, 0.1, THRESHOLD, 0.5, 0.9):
        assert curve.at(threshold).savings == pytest.approx(plain.at(threshold).savings)
        assert curve.at(threshold).caught == plain.at(threshold).caught
        assert curve.at(threshold).missed == plain.at(threshold).missed
    assert curve.perfect == pytest.approx(plain.perfect)
    assert curve.at(THRESHOLD).flagged == DRAWN, "as many reviews as there were"


def test_a_comparison_with_weights_is_that_of_the_payments_that_they_stand_for() -> None:
    given = explored()
    other = np.clip(given.score * 0.7, 0.001, 0.99)
    weighted = compare(
        Decisions(given.score, given.score >= THRESHOLD),
        Decisions(other, other >= THRESHOLD),
        given.amount, given.is_fraud, COSTS, given.weights, resamples=50,
    )  # fmt: skip
    score, other, amount, fraud = given.replicated(given.score, other, given.amount, given.is_fraud)
    plain = compare(
        Decisions(score, score >= THRESHOLD), Decisions(other, other >= THRESHOLD),
        amount, fraud.astype(bool), COSTS, resamples=50,
    )  # fmt: skip
    assert weighted.difference.value == pytest.approx(plain.difference.value)
    assert weighted.perfect == pytest.approx(plain.perfect)
    for side in ("champion", "challenger"):
        for name in ("net_savings", "alerts", "caught", "missed", "false_alarms", "log_loss",
                     "brier"):  # fmt: skip
            one, two = (getattr(getattr(made, side), name) for made in (weighted, plain))
            assert one.value == pytest.approx(two.value), name
            # Fewer payments show what they were than the replicated ones pretend.
            assert one.high - one.low > 0.95 * (two.high - two.low), name
    alerts = weighted.champion.alerts
    assert alerts.value == pytest.approx(DRAWN)


def test_metrics_with_counts_are_those_of_as_many_payments() -> None:
    given = explored()
    counts = scaled(given.weights)
    score, fraud = given.replicated(given.score, given.is_fraud)
    is_fraud = fraud.astype(bool)
    assert brier(given.score, given.is_fraud, counts) == pytest.approx(brier(score, is_fraud))
    whole = expected_calibration_error(given.score, given.is_fraud, bins=1, counts=counts)
    assert whole == pytest.approx(expected_calibration_error(score, is_fraud, bins=1))
