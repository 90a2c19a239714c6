"""The benchmark's reference service computes the same features and explanations."""

from __future__ import annotations

from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import shap

from benchmarks.load.payloads import features_of, transactions
from benchmarks.models import calibrated_classifier
from benchmarks.systems.reference import features
from scoring.explain.treeshap import explain_with_lightgbm
from tests.support.factories import a_booster, feature_rows


def test_its_features_are_the_services() -> None:
    bodies = transactions(500)
    np.testing.assert_array_equal(features(pd.DataFrame(bodies)).to_numpy(), features_of(bodies))


def test_its_classifier_holds_the_same_trees_and_explains_the_same(tmp_path: Path) -> None:
    booster = a_booster()
    rows = feature_rows(200)
    made = calibrated_classifier(booster, rows, rows[:, 0] > 2)
    joblib.dump(made, tmp_path / "classifier.joblib")
    trees = joblib.load(tmp_path / "classifier.joblib").calibrated_classifiers_[0].estimator
    frame = features(pd.DataFrame(transactions(20)))
    explained = explain_with_lightgbm(booster, np.ascontiguousarray(frame.to_numpy()))
    raw = trees.predict_proba(frame)[:, 1]
    np.testing.assert_allclose(raw, 1 / (1 + np.exp(-explained.margins)), rtol=1e-12)
    contributions = shap.TreeExplainer(trees.estimator).shap_values(frame)
    np.testing.assert_allclose(contributions, explained.contributions, atol=1e-12)
