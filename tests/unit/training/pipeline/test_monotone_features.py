"""A monotone feature moves margin and score one way only, and reasons stay exact."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scoring.columns import BoolArray, FloatArray
from scoring.explain.lightgbm_text import Tree, read_trees
from scoring.explain.treeshap import explain_with_lightgbm
from scoring.feature_set.definition import FeatureDefinition
from scoring.feature_set.feature_set import FeatureSet
from scoring.feature_set.model_features import ModelFeatures
from scoring.model.calibration import Calibrator
from scoring.model.fraud_model import FraudModel
from scoring.policy import CostModel, Policy
from tests.support.event_types import an_event_type
from training.data.split import split
from training.pipeline.booster import FitParameters, fit
from training.pipeline.calibration import CALIBRATORS

ROWS = 3000
PARTS = split(np.arange(ROWS, dtype=np.float64), np.arange(ROWS) % 4 == 0)
FEATURES = ModelFeatures(
    an_event_type(SHOP={"kind": "category", "optional": True}),
    FeatureSet(
        (
            FeatureDefinition("rising", "TX_AMOUNT", monotone="increasing"),
            FeatureDefinition("free", "TX_AMOUNT / 2"),
            FeatureDefinition("falling", "TX_AMOUNT + 1", monotone="decreasing"),
            FeatureDefinition("shop", "code(SHOP)"),
            FeatureDefinition("also_rising", "TX_AMOUNT * 2", monotone="increasing"),
        ),
        {"SHOP": tuple("abcdefgh")},
    ),
)
FREE = replace(
    FEATURES,
    feature_set=replace(
        FEATURES.feature_set,
        definitions=tuple(replace(one, monotone=None) for one in FEATURES.feature_set.definitions),
    ),
)
CHOICES = st.builds(
    FitParameters,
    max_rounds=st.integers(1, 25),
    num_leaves=st.integers(2, 31),
    max_depth=st.integers(1, 12),
    learning_rate=st.sampled_from([0.05, 0.3]),
    min_data_in_leaf=st.sampled_from([1, 5, 20]),
    min_sum_hessian_in_leaf=st.sampled_from([0.01, 1.0]),
    lambda_l2=st.sampled_from([0.0, 10.0]),
    feature_fraction=st.sampled_from([0.5, 1.0]),
    bagging_fraction=st.sampled_from([0.7, 1.0]),
    extra_trees=st.booleans(),
)


def events(seed: int, missing: float) -> tuple[FloatArray, BoolArray]:
    """Return features and labels of which none follows its direction."""
    rng = np.random.default_rng(seed)
    matrix = np.round(rng.normal(size=(ROWS, len(FEATURES.names))), int(rng.integers(0, 3)))
    matrix[:, FEATURES.names.index("shop")] = rng.integers(0, 9, ROWS)
    waves = np.sin(3 * matrix[:, 0]) + matrix[:, 2] * matrix[:, 4] + (matrix[:, 3] % 3 == 0)
    is_fraud = waves + rng.normal(size=ROWS) > 1
    matrix[rng.random(matrix.shape) < missing] = np.nan
    return matrix, is_fraud


def a_model(
    features: ModelFeatures, matrix: FloatArray, is_fraud: BoolArray, chosen: FitParameters,
    calibrator: str = "sigmoid",
) -> FraudModel:  # fmt: skip
    """Return a model as it is served, with its trees compiled."""
    booster = fit(
        matrix, is_fraud, PARTS, seed=1, features=features, on_round=lambda *_: None, chosen=chosen
    ).booster
    rows = PARTS.calibrate.rows
    fitted: Calibrator = CALIBRATORS[calibrator](
        np.asarray(booster.predict(matrix[rows], raw_score=True)), is_fraud[rows]
    )
    model = FraudModel(booster, fitted, Policy.at(0.1, CostModel()), {}, features=features)
    return model.as_served()


def rising_values(trees: list[Tree], column: int) -> FloatArray:
    """Return values on both sides of each of a feature's cuts, in ascending order."""
    cuts = np.concatenate([tree.threshold[tree.feature == column] for tree in trees])
    return np.unique(np.concatenate([cuts, np.nextafter(cuts, np.inf), [-1e9, 0.0, 1e9]]))


@dataclass(frozen=True, slots=True)
class Steps:
    """The lowest changes, in a feature's direction, as it rises and all others stay."""

    margin: float
    score: float
    own_contribution: float


def lowest_steps(model: FraudModel, trees: list[Tree], matrix: FloatArray, column: int) -> Steps:
    values = rising_values(trees, column)
    changed = np.tile(matrix, (values.size, 1))
    changed[:, column] = np.repeat(values, len(matrix))
    batch = model.explain_matrix(changed)
    sign = model.features.monotone[column] or 1
    series = batch.margins, batch.scores, batch.contributions[:, column]
    by_value = [sign * one.reshape(values.size, len(matrix)) for one in series]
    return Steps(*(float(np.diff(one, axis=0).min()) for one in by_value))


def trees_of(model: FraudModel) -> list[Tree]:
    return read_trees(model.booster.model_to_string())


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    seed=st.integers(0, 10_000),
    missing=st.sampled_from([0.0, 0.2]),
    chosen=CHOICES,
    calibrator=st.sampled_from(sorted(CALIBRATORS)),
)
def test_a_rising_value_moves_margin_score_and_its_contribution_in_its_direction_only(
    seed: int, missing: float, chosen: FitParameters, calibrator: str
) -> None:
    matrix, is_fraud = events(seed, missing)
    model = a_model(FEATURES, matrix, is_fraud, chosen, calibrator)
    assert model.compiled is not None
    rows, trees = matrix[:40], trees_of(model)
    for column, sign in enumerate(FEATURES.monotone):
        if sign:
            steps = lowest_steps(model, trees, rows, column)
            assert min(steps.margin, steps.score) >= 0
            assert steps.own_contribution >= -1e-9
    expected, actual = explain_with_lightgbm(model.booster, rows), model.explain_matrix(rows)
    np.testing.assert_array_equal(actual.margins, expected.margins)
    np.testing.assert_allclose(actual.contributions, expected.contributions, rtol=0, atol=1e-9)
    sums = actual.base_value + actual.contributions.sum(axis=1)
    np.testing.assert_allclose(sums, actual.margins, rtol=0, atol=1e-9)


def test_without_a_direction_the_same_events_give_a_model_that_moves_both_ways() -> None:
    matrix, is_fraud = events(0, 0.0)
    chosen = FitParameters(num_leaves=31, min_sum_hessian_in_leaf=0.01, lambda_l2=0.0)
    model = a_model(FREE, matrix, is_fraud, chosen)
    trees = trees_of(model)
    for column in np.flatnonzero(FEATURES.monotone):
        assert lowest_steps(model, trees, matrix[:40], int(column)).margin < -0.01


def test_a_feature_set_without_directions_gives_the_trees_of_before() -> None:
    matrix, is_fraud = events(0, 0.2)
    text = a_model(FREE, matrix, is_fraud, FitParameters()).booster.model_to_string()
    assert "[monotone_constraints: ]" in text
    held = a_model(FEATURES, matrix, is_fraud, FitParameters()).booster.model_to_string()
    assert "[monotone_constraints: 1,0,-1,0,1]" in held
    assert "[monotone_constraints_method: basic]" in held


def test_the_logged_parameters_have_the_directions() -> None:
    matrix, is_fraud = events(0, 0.0)
    made = fit(
        matrix, is_fraud, PARTS, seed=1, features=FEATURES, on_round=lambda *_: None,
        chosen=FitParameters(max_rounds=2),
    )  # fmt: skip
    assert made.parameters["monotone_constraints"] == "1,0,-1,0,1"


@pytest.mark.parametrize("calibrator", sorted(CALIBRATORS))
def test_every_calibrator_keeps_the_order_of_margins(calibrator: str) -> None:
    rng = np.random.default_rng(0)
    margin = rng.normal(size=500)
    fitted = CALIBRATORS[calibrator](margin, rng.random(500) < 1 / (1 + np.exp(2 - margin)))
    dense = np.sort(np.concatenate([np.linspace(-40, 40, 4001), margin]))
    assert np.diff(fitted(dense)).min() >= 0
