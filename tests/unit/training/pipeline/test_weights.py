"""Fits and figures with weights are those of the payments that the weights stand for."""

from __future__ import annotations

import numpy as np
import pytest

from scoring.evaluation.weights import scaled
from scoring.model.calibration import SigmoidCalibrator
from scoring.model.fraud_model import FraudModel
from scoring.policy import CostModel, Policy
from tests.support.data.explored import THRESHOLD, explored
from tests.support.factories import a_booster
from training.pipeline.calibration import CALIBRATORS, calibrate
from training.pipeline.evaluation import evaluate

GIVEN = explored()
MARGIN = np.log(GIVEN.score / (1 - GIVEN.score))
COUNTS = scaled(GIVEN.weights)
REPLICATED_MARGIN, AMOUNT, LABELS = GIVEN.replicated(MARGIN, GIVEN.amount, GIVEN.is_fraud)
IS_FRAUD = LABELS.astype(bool)


@pytest.mark.parametrize("kind", CALIBRATORS)
def test_a_calibrator_fits_what_its_rows_stand_for(kind: str) -> None:
    known = GIVEN.is_fraud & (GIVEN.weights > 0)
    weighted = CALIBRATORS[kind](MARGIN, known, COUNTS)
    plain = CALIBRATORS[kind](REPLICATED_MARGIN, IS_FRAUD, None)
    at = np.linspace(-6, 4, 200)
    # The smoothed targets depend on how many labels are known, so they differ a little.
    assert weighted(at) == pytest.approx(plain(at), abs=0.01)
    naive = CALIBRATORS[kind](MARGIN, known, None)
    assert np.abs(naive(at) - plain(at)).max() > 0.2


def test_calibration_with_weights_finds_that_the_scores_are_right_already() -> None:
    time = np.arange(float(MARGIN.size))
    weighted = calibrate(MARGIN, GIVEN.is_fraud, time, weights=GIVEN.weights).calibrator
    assert weighted(np.array([0.0]))[0] == pytest.approx(0.5, abs=0.1)
    naive = calibrate(MARGIN, GIVEN.is_fraud & (GIVEN.weights > 0), time).calibrator
    assert naive(np.array([0.0]))[0] < 0.3


def test_an_evaluation_with_weights_is_that_of_the_payments_that_they_stand_for() -> None:
    policy = Policy.at(THRESHOLD, CostModel(50.0, 0.5, 5.0))
    model = FraudModel(a_booster(), SigmoidCalibrator(1.0, 0.0), policy, {})
    weighted = evaluate(model, MARGIN, GIVEN.amount, GIVEN.is_fraud, GIVEN.weights)
    plain = evaluate(model, REPLICATED_MARGIN, AMOUNT, IS_FRAUD)
    different = {"ece"}  # bins hold equally many rows
    for name in plain.metrics.keys() - different:
        assert weighted.metrics[name] == pytest.approx(plain.metrics[name]), name
    for name in plain.intervals.keys() - different:
        assert weighted.intervals[name].value == pytest.approx(plain.intervals[name].value), name
