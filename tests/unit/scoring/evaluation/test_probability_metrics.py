"""Brier score, log loss and calibration error."""

from __future__ import annotations

import numpy as np
import pytest

from scoring.evaluation.probability_metrics import (
    brier,
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
