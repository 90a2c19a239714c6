"""Trimming removes the last trees with little effect and changes nothing else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from scoring.columns import FloatArray
from scoring.features import PAYSIM_FEATURES
from scoring.model.calibration import SigmoidCalibrator
from scoring.model.fraud_model import FraudModel
from scoring.policy import CostModel, Policy
from tests.support.factories import a_booster, feature_rows
from training.data.labelled_events import LabelledEvents
from training.data.split import Split
from training.pipeline.booster import FitParameters, Fitted, fit
from training.pipeline.metrics import quality
from training.pipeline.tree_pruning import fewest_rounds


def fitted(data: LabelledEvents, parts: Split, matrix: FloatArray, *, trimmed: bool) -> Fitted:
    return fit(
        matrix, data.is_fraud, parts, seed=1, features=PAYSIM_FEATURES, on_round=lambda *_: None,
        chosen=FitParameters(trimmed=trimmed),
    )  # fmt: skip


@pytest.fixture(scope="module")
def whole(data: LabelledEvents, parts: Split, matrix: FloatArray) -> Fitted:
    return fitted(data, parts, matrix, trimmed=False)


@pytest.fixture(scope="module")
def trimmed(data: LabelledEvents, parts: Split, matrix: FloatArray) -> Fitted:
    return fitted(data, parts, matrix, trimmed=True)


def test_the_last_trees_with_little_effect_are_removed(whole: Fitted, trimmed: Fitted) -> None:
    assert trimmed.rounds < whole.rounds
    assert trimmed.leaves < whole.leaves
    assert trimmed.stopping_log_loss == whole.stopping_log_loss, "the same fit"


def test_a_trimmed_model_scores_as_its_first_trees_to_the_last_bit(
    whole: Fitted, trimmed: Fitted, matrix: FloatArray
) -> None:
    expected = whole.booster.predict(matrix, raw_score=True, num_iteration=trimmed.rounds)
    assert np.array_equal(trimmed.booster.predict(matrix, raw_score=True), expected)
    explained = whole.booster.predict(matrix[:500], pred_contrib=True, num_iteration=trimmed.rounds)
    assert np.array_equal(trimmed.booster.predict(matrix[:500], pred_contrib=True), explained)


def test_a_trimmed_model_finds_frauds_about_as_well(
    data: LabelledEvents, parts: Split, matrix: FloatArray, whole: Fitted, trimmed: Fitted
) -> None:
    rows = parts.test.rows
    before, after = (
        quality(made.booster.predict(matrix[rows]), data.is_fraud[rows])["pr_auc"]
        for made in (whole, trimmed)
    )
    assert after > before - 0.05


def test_a_trimmed_model_loads_and_explains_alike(
    trimmed: Fitted, tmp_path: Path, matrix: FloatArray
) -> None:
    model = FraudModel(
        trimmed.booster, SigmoidCalibrator(1.0, 0.0), Policy.at(0.01, CostModel()), {}
    )
    model.save(tmp_path, np.ascontiguousarray(matrix[:16]))
    loaded = FraudModel.load(tmp_path)
    rows = np.ascontiguousarray(matrix[1000:1200])
    before, after = model.as_served().explain_matrix(rows), loaded.explain_matrix(rows)
    assert np.array_equal(before.margins, after.margins)
    assert np.array_equal(before.contributions, after.contributions)
    added_up = after.base_value + after.contributions.sum(axis=1)
    assert np.abs(added_up - after.margins).max() < 1e-9


def test_trees_with_an_effect_are_kept() -> None:
    matrix = feature_rows(2000, seed=5)
    booster = a_booster()
    certain = booster.predict(matrix) > 0.5
    assert certain.any()
    assert fewest_rounds(booster, 1, matrix, certain) == 1
    few = fewest_rounds(booster, booster.num_trees(), matrix, certain)
    assert few > 1


def test_trees_after_the_best_round_stay_removed(whole: Fitted, matrix: FloatArray) -> None:
    labels = np.random.default_rng(0).random(3000) < 0.01
    assert fewest_rounds(whole.booster, 5, matrix[:3000], labels) <= 5
