from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.model.calibration import (
    PROBABILITY_FLOOR,
    UNCALIBRATED,
    BetaCalibrator,
    Calibrator,
    IsotonicCalibrator,
    SigmoidCalibrator,
    calibrator_from_numbers,
    sigmoid,
)

finite = st.floats(-20, 20)
positive = st.floats(0, 20)
sigmoids = st.builds(SigmoidCalibrator, positive, finite)
betas = st.builds(BetaCalibrator, positive, positive, finite)


@st.composite
def isotonics(draw: st.DrawFn) -> IsotonicCalibrator:
    margins = sorted(draw(st.sets(finite, min_size=1, max_size=8)))
    steps = draw(st.lists(st.floats(0, 1), min_size=len(margins), max_size=len(margins)))
    return IsotonicCalibrator(tuple(margins), tuple(sorted(steps)))


calibrators = st.one_of(sigmoids, betas, isotonics())
margins = st.lists(st.floats(-700, 700), min_size=1, max_size=30)


@given(calibrators, margins)
def test_calibration_keeps_the_order_and_never_gives_0_or_1(
    calibrator: Calibrator, values: list[float]
) -> None:
    probability = calibrator(np.sort(np.array(values)))
    # One unit in the last place: the beta calibrator sums two rounded logarithms.
    assert (np.diff(probability) >= -4e-16).all()
    assert (probability >= PROBABILITY_FLOOR).all()
    assert (probability <= 1 - PROBABILITY_FLOOR).all()


@given(calibrators, margins)
def test_a_calibrator_is_equal_bit_for_bit_after_json(
    calibrator: Calibrator, values: list[float]
) -> None:
    loaded = calibrator_from_numbers(json.loads(json.dumps(calibrator.as_numbers())))
    assert loaded == calibrator
    assert loaded(np.array(values)).tobytes() == calibrator(np.array(values)).tobytes()


@given(margins)
def test_the_uncalibrated_probability_is_the_boosters_and_is_stored_as_a_sigmoid(
    values: list[float],
) -> None:
    margin = np.array(values)
    bounded = np.clip(sigmoid(margin), PROBABILITY_FLOOR, 1 - PROBABILITY_FLOOR)
    assert UNCALIBRATED(margin).tobytes() == bounded.tobytes()
    assert UNCALIBRATED.kind == "uncalibrated"
    # A release that knows no such kind reads it.
    assert UNCALIBRATED.as_numbers() == {"kind": "sigmoid", "slope": 1.0, "intercept": 0.0}
    assert SigmoidCalibrator(1.0, 1e-9).kind == "sigmoid"


@given(st.floats(-30, 30))
def test_sigmoid_is_the_inverse_of_log_odds(margin: float) -> None:
    assert float(sigmoid(np.array(margin))) == pytest.approx(
        1 / (1 + math.exp(-margin)), rel=1e-3, abs=1e-15
    )


def test_beta_with_equal_a_and_b_is_a_sigmoid() -> None:
    values = np.linspace(-10, 10, 41)
    beta, plain = BetaCalibrator(0.7, 0.7, -0.4), SigmoidCalibrator(0.7, -0.4)
    np.testing.assert_allclose(beta(values), plain(values), rtol=1e-12)


def test_isotonic_interpolates_and_is_constant_beyond_its_knots() -> None:
    calibrator = IsotonicCalibrator((-2.0, 0.0, 2.0), (0.1, 0.2, 0.6))
    np.testing.assert_allclose(
        calibrator(np.array([-9.0, -1.0, 1.0, 9.0])), [0.1, 0.15, 0.4, 0.6], rtol=1e-12
    )


@pytest.mark.parametrize(
    "numbers",
    [
        {},
        {"kind": "spline"},
        {"kind": "sigmoid", "slope": 1.0},
        {"kind": "sigmoid", "slope": -1.0, "intercept": 0.0},
        {"kind": "sigmoid", "slope": float("nan"), "intercept": 0.0},
        {"kind": "sigmoid", "slope": None, "intercept": 0.0},
        {"kind": "beta", "a": 1.0, "b": -0.1, "c": 0.0},
        {"kind": "beta", "a": 1.0, "b": 1.0, "c": float("inf")},
        {"kind": "isotonic", "margins": [], "probabilities": []},
        {"kind": "isotonic", "margins": [1.0, 1.0], "probabilities": [0.1, 0.2]},
        {"kind": "isotonic", "margins": [1.0, 2.0], "probabilities": [0.2, 0.1]},
        {"kind": "isotonic", "margins": [1.0, 2.0], "probabilities": [0.1, 1.1]},
        {"kind": "isotonic", "margins": [1.0, 2.0], "probabilities": [0.1]},
        {"kind": "isotonic", "margins": [1.0, float("inf")], "probabilities": [0.1, 0.2]},
    ],
)
def test_invalid_calibrator_numbers_are_refused(numbers: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="calibrator"):
        calibrator_from_numbers(numbers)
