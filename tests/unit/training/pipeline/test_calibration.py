"""Fitting calibrators, and choosing the kind by cross-fitted log loss."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from scoring.evaluation.probability_metrics import expected_calibration_error
from scoring.model.calibration import sigmoid
from training.pipeline.calibration import (
    CALIBRATORS,
    calibrate,
    fit_beta,
    fit_isotonic,
    fit_sigmoid,
    smoothed_targets,
)
from training.reporting.tables import calibrators_table

ROWS = 60_000


def sample(distort: str, seed: int = 0, rows: int = ROWS) -> tuple[np.ndarray, np.ndarray]:
    """Margins, and labels whose true probability is a known function of them."""
    rng = np.random.default_rng(seed)
    margin = rng.normal(-3, 2.5, rows)
    true = {
        "shifted": sigmoid(0.6 * margin - 1.0),
        "none": sigmoid(margin),
        "skewed": sigmoid(-0.2 * np.logaddexp(0, -margin) + 1.6 * np.logaddexp(0, margin) - 3.0),
        "stepped": np.select([margin < -4, margin < -1], [0.002, 0.05], 0.4),
    }[distort]
    return margin, rng.random(rows) < true


def steps(rows: int = ROWS) -> np.ndarray:
    return (np.arange(rows) // 100).astype(float)


def test_sigmoid_recovers_slope_and_intercept() -> None:
    fitted = fit_sigmoid(*sample("shifted"))
    assert fitted.slope == pytest.approx(0.6, abs=0.03)
    assert fitted.intercept == pytest.approx(-1.0, abs=0.06)


def test_beta_recovers_its_parameters() -> None:
    fitted = fit_beta(*sample("skewed", rows=200_000))
    assert (fitted.a, fitted.b, fitted.c) == pytest.approx((0.2, 1.6, -3.0), abs=0.12)


def test_a_negative_beta_coefficient_is_clamped_to_zero() -> None:
    margin, _ = sample("shifted")
    falling = np.random.default_rng(1).random(margin.size) < sigmoid(-margin - 4)
    fitted = fit_beta(margin, falling)
    assert fitted.a == 0 or fitted.b == 0
    assert fit_sigmoid(margin, falling).slope == 0


@pytest.mark.parametrize("kind", CALIBRATORS)
def test_fitting_improves_distorted_probabilities(kind: str) -> None:
    margin, is_fraud = sample("shifted", seed=1)
    fresh, fresh_fraud = sample("shifted", seed=2)
    calibrated = CALIBRATORS[kind](margin, is_fraud)(fresh)
    before = expected_calibration_error(sigmoid(fresh), fresh_fraud)
    after = expected_calibration_error(calibrated, fresh_fraud)
    assert after < before / 5


@pytest.mark.parametrize("kind", CALIBRATORS)
def test_a_separable_sample_gives_no_probability_of_0_or_1(kind: str) -> None:
    margin = np.concatenate([np.linspace(-12, -5, 9_900), np.linspace(2, 6, 100)])
    is_fraud = margin > 0
    calibrator = CALIBRATORS[kind](margin, is_fraud)
    typical_fraud, typical_other = calibrator(np.array([4.0, -8.0]))
    assert 0.95 < typical_fraud < 0.9995
    assert typical_other > 1e-5


def test_targets_follow_the_rule_of_succession() -> None:
    targets = smoothed_targets(np.array([True, True, False, False, False]))
    assert targets.tolist() == [3 / 4, 3 / 4, 1 / 5, 1 / 5, 1 / 5]


def test_a_tie_goes_to_the_fewest_parameters() -> None:
    calibration = calibrate(*sample("shifted"), steps())
    assert calibration.calibrator.kind == "sigmoid"
    assert [c.kind for c in calibration.comparisons] == [
        "uncalibrated", "sigmoid", "beta", "isotonic",
    ]  # fmt: skip


def test_a_chosen_calibrator_that_is_not_the_best_has_its_reason_under_the_table() -> None:
    calibration = calibrate(*sample("shifted"), steps())
    best, chosen = "beta", "sigmoid"
    ranked = [best, chosen]
    comparisons = tuple(
        replace(tried, log_loss=float(ranked.index(tried.kind) if tried.kind in ranked else 9))
        for tried in calibration.comparisons
    )
    tied = replace(calibration, comparisons=comparisons)
    reason = "sigmoid is within one standard error of the best log loss (beta) and has fewer"
    assert calibrators_table("Calibrators", tied, "data", ".4g").caption == f"{reason} parameters."
    assert replace(tied, chosen=best).why_not_the_best is None

    fixed = replace(comparisons[0], kind="current", log_loss=0.5)
    kept = replace(tied, chosen="current", comparisons=(fixed, *comparisons))
    assert (kept.why_not_the_best or "").endswith("(beta) and needs no new fit.")


def test_probabilities_that_no_fit_improves_stay_uncalibrated() -> None:
    # 20 frauds in all: whatever is fitted on half of them is worse than the truth.
    margin, is_fraud = sample("none", seed=2, rows=400)
    calibration = calibrate(margin, is_fraud, steps(400))
    least = min(calibration.comparisons, key=lambda c: c.log_loss)
    assert least.kind == calibration.chosen == calibration.calibrator.kind == "uncalibrated"
    assert calibration.calibrator(margin).tolist() == sigmoid(margin).tolist()


def test_a_tie_is_not_enough_to_stay_uncalibrated() -> None:
    margin, is_fraud = sample("none", rows=30_000)
    calibration = calibrate(margin * 1.06, is_fraud, steps(30_000))
    raw, *fitted = calibration.comparisons
    assert raw.kind == "uncalibrated"
    assert 0 < raw.behind < raw.behind_error
    assert calibration.chosen in {c.kind for c in fitted}


def test_the_comparison_names_the_data_of_the_fits_and_of_its_figures() -> None:
    calibration = calibrate(*sample("shifted"), steps())
    begin = 1_000
    hours = np.concatenate([np.full(begin, -1.0), steps()])
    phrase = calibration.data(
        lambda rows: (f"{hours[rows.start]:.0f}", f"{hours[rows.stop - 1]:.0f}"), begin
    )
    match = re.search(
        r"\(0 to (\d+)\), compared on the later \((\d+) to 599, ([\d,]+) rows", phrase
    )
    assert match is not None, phrase
    assert int(match[1]) + 1 == int(match[2]), "no row is in both"
    assert int(match[3].replace(",", "")) == ROWS - int(match[2]) * 100


def test_a_shape_that_only_isotonic_has_gets_isotonic() -> None:
    assert calibrate(*sample("stepped"), steps()).calibrator.kind == "isotonic"


def test_kinds_are_compared_on_rows_they_were_not_fitted_on() -> None:
    margin, is_fraud = sample("shifted")
    judged = calibrate(margin, is_fraud, steps()).comparisons
    later = is_fraud.copy()
    middle = int(np.searchsorted(steps(), np.median(steps()[is_fraud])))
    # Spoiling the later half's margins' ranks must change the figures, not the fits' parameters.
    np.random.default_rng(0).shuffle(later[middle:])
    spoilt = calibrate(margin, later, steps()).comparisons
    assert all(s.log_loss > j.log_loss * 1.2 for s, j in zip(spoilt[1:], judged[1:], strict=True))


def test_the_chosen_kind_is_fitted_on_every_row() -> None:
    margin, is_fraud = sample("shifted")
    chosen = calibrate(margin, is_fraud, steps()).calibrator
    assert chosen == fit_sigmoid(margin, is_fraud)


def test_isotonic_knots_are_few_and_increasing() -> None:
    calibrator = fit_isotonic(*sample("shifted"))
    assert len(calibrator.margins) < 500
    assert (np.diff(calibrator.margins) > 0).all()
