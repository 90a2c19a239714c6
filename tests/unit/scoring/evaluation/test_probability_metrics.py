"""Brier score, log loss and calibration error."""

from __future__ import annotations

import numpy as np
import pytest

from scoring.evaluation.probability_metrics import (
    brier,
    calibration_bins,
    equal_count_bins,
    expected_calibration_error,
    log_losses,
)


def test_brier_and_log_loss_agree_with_hand_computed_values() -> None:
    probability, is_fraud = np.array([0.8, 0.4, 0.2, 0.1]), np.array([True, False, True, False])
    assert brier(probability, is_fraud) == pytest.approx((0.04 + 0.16 + 0.64 + 0.01) / 4)
    assert log_losses(probability, is_fraud) == pytest.approx(
        [-np.log(0.8), -np.log(0.6), -np.log(0.2), -np.log(0.9)]
    )


def test_the_calibration_error_is_small_only_for_calibrated_scores() -> None:
    rng = np.random.default_rng(0)
    probability = rng.beta(0.2, 20, 400_000)
    is_fraud = rng.random(probability.size) < probability
    assert expected_calibration_error(probability, is_fraud) < 0.0005
    assert expected_calibration_error(probability * 2, is_fraud) > 0.005


def test_bins_hold_about_equally_many_rows_and_follow_the_order_of_the_scores() -> None:
    probability = np.random.default_rng(0).random(15_000)
    bins = equal_count_bins(probability)
    assert np.bincount(bins) == pytest.approx(np.full(15, 1000), abs=1)
    assert (np.diff(bins[np.argsort(probability)]) >= 0).all()


def test_equal_scores_share_a_bin() -> None:
    probability = np.full(1000, 0.1)
    is_fraud = np.arange(1000) < 300
    assert expected_calibration_error(probability, is_fraud) == pytest.approx(0.2)


def test_calibration_bins_hold_about_equally_many_frauds_and_cover_the_true_rate() -> None:
    rng = np.random.default_rng(0)
    probability = rng.beta(0.2, 20, 100_000)
    is_fraud = rng.random(probability.size) < probability
    bins = calibration_bins(probability, is_fraud, 10, np.ones(probability.size))
    assert len(bins) == 10
    assert sum(one.count for one in bins) == probability.size
    assert [one.predicted for one in bins] == sorted(one.predicted for one in bins)
    frauds = [one.count * one.observed for one in bins]
    assert max(frauds) < 2 * min(frauds)
    assert sum(one.low <= one.predicted <= one.high for one in bins) >= 8


def test_calibration_bins_count_what_each_transaction_stands_for() -> None:
    probability = np.array([0.1, 0.1, 0.1, 0.9])
    is_fraud = np.array([True, False, False, True])
    first, second = calibration_bins(probability, is_fraud, 2, np.array([1.0, 3.0, 0.0, 1.0]))
    assert (first.predicted, first.observed, first.count) == (pytest.approx(0.1), 0.25, 4)
    assert (second.observed, second.high, second.count) == (1.0, 1.0, 1)
    assert second.low == pytest.approx(0.2065, abs=1e-4), "Wilson's interval of 1 of 1"
    whole = calibration_bins(probability[:3], is_fraud[:3], 5, np.ones(3))
    assert len(whole) == 1, "equal probabilities share a bin"
