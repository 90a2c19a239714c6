"""Fitting a booster is reproducible and uses the fit part alone."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from scoring.columns import FloatArray
from scoring.evaluation.probability_metrics import log_losses
from scoring.features import FEATURE_NAMES, PAYSIM_FEATURES
from scoring.model.calibration import SigmoidCalibrator
from scoring.model.fraud_model import FraudModel
from scoring.policy import CostModel, Policy
from tests.support.own_models import STATELESS, WITH_WINDOWS, features_of
from training.data.labelled_events import LabelledEvents
from training.data.split import Split
from training.pipeline.booster import (
    OWN_EVENT_TYPE,
    OWN_WINDOWS,
    FitParameters,
    Fitted,
    fit,
    settings_for,
)
from training.pipeline.distribution import FEATURE_QUANTILES, binned, distribution
from training.pipeline.golden_rows import golden_rows
from training.pipeline.metrics import quality

Fit = Callable[..., Fitted]


@pytest.fixture(scope="module")
def fitted(data: LabelledEvents, parts: Split, matrix: FloatArray) -> Fitted:
    return fit(
        matrix, data.is_fraud, parts, features=PAYSIM_FEATURES, seed=1, on_round=lambda *_: None
    )


def test_the_same_seed_gives_the_same_trees(
    data: LabelledEvents, parts: Split, matrix: FloatArray, fitted: Fitted
) -> None:
    again = fit(
        matrix, data.is_fraud, parts, features=PAYSIM_FEATURES, seed=1, on_round=lambda *_: None
    )
    assert again.booster.model_to_string() == fitted.booster.model_to_string()


def test_rows_after_the_fit_part_change_nothing(
    data: LabelledEvents, parts: Split, matrix: FloatArray, fitted: Fitted
) -> None:
    spoilt, labels = matrix.copy(), data.is_fraud.copy()
    spoilt[parts.fit.rows.stop :] = 0.0
    labels[parts.fit.rows.stop :] = True
    again = fit(spoilt, labels, parts, features=PAYSIM_FEATURES, seed=1, on_round=lambda *_: None)
    assert again.booster.model_to_string() == fitted.booster.model_to_string()


def test_trees_after_the_best_round_are_not_kept(
    data: LabelledEvents, parts: Split, matrix: FloatArray, fitted: Fitted
) -> None:
    losses = fitted.stopping_log_loss
    probability = fitted.booster.predict(matrix[parts.stopping])
    loss = float(log_losses(probability, data.is_fraud[parts.stopping]).mean())
    assert loss == pytest.approx(min(losses), rel=1e-9)
    assert fitted.booster.num_trees() == fitted.rounds <= int(np.argmin(losses)) + 1
    assert fitted.leaves <= 3000


def test_every_round_is_reported(data: LabelledEvents, parts: Split, matrix: FloatArray) -> None:
    rounds: list[int] = []
    losses: list[float] = []

    def on_round(done: int, loss: float) -> None:
        rounds.append(done)
        losses.append(loss)

    again = fit(matrix, data.is_fraud, parts, features=PAYSIM_FEATURES, seed=2, on_round=on_round)
    assert rounds == list(range(1, len(again.stopping_log_loss) + 1))
    assert tuple(losses) == again.stopping_log_loss


def test_an_exception_of_the_round_callback_ends_the_fit(
    data: LabelledEvents, parts: Split, matrix: FloatArray
) -> None:
    class Enough(Exception):
        pass

    def on_round(done: int, loss: float) -> None:
        if done == 3 and loss > 0:
            raise Enough

    with pytest.raises(Enough):
        fit(matrix, data.is_fraud, parts, features=PAYSIM_FEATURES, seed=2, on_round=on_round)


def test_the_chosen_parameters_reach_the_trees(
    data: LabelledEvents, parts: Split, matrix: FloatArray
) -> None:
    chosen = FitParameters(max_rounds=12, num_leaves=3, max_depth=2, extra_trees=False)
    made = fit(
        matrix,
        data.is_fraud,
        parts,
        features=PAYSIM_FEATURES,
        seed=1,
        on_round=lambda *_: None,
        chosen=chosen,
    )
    assert made.rounds <= 12
    assert max(t["num_leaves"] for t in made.booster.dump_model()["tree_info"]) == 3
    assert made.parameters["max_rounds"] == 12
    assert made.parameters["num_leaves"] == 3


def test_each_kind_of_features_has_its_settings() -> None:
    assert settings_for(PAYSIM_FEATURES) == FitParameters()
    assert settings_for(features_of(STATELESS)) == OWN_EVENT_TYPE
    assert settings_for(features_of(WITH_WINDOWS)) == OWN_WINDOWS


def test_cuts_below_the_least_gain_are_not_made(
    data: LabelledEvents, parts: Split, matrix: FloatArray
) -> None:
    def leaves(least: float) -> int:
        return fit(
            matrix,
            data.is_fraud,
            parts,
            features=PAYSIM_FEATURES,
            seed=1,
            on_round=lambda *_: None,
            chosen=FitParameters(max_rounds=20, min_gain_to_split=least),
        ).leaves

    assert leaves(0.0) > leaves(10.0) > leaves(1e9) == 1


def test_rounds_without_a_split_leave_no_tree(
    data: LabelledEvents, parts: Split, matrix: FloatArray
) -> None:
    barren = FitParameters(max_rounds=40, min_sum_hessian_in_leaf=1e9)
    made = fit(
        matrix,
        data.is_fraud,
        parts,
        features=PAYSIM_FEATURES,
        seed=1,
        on_round=lambda *_: None,
        chosen=barren,
    )
    assert (made.rounds, made.leaves) == (1, 1)
    assert len(made.stopping_log_loss) > 1


def test_the_booster_finds_frauds_it_has_not_seen(
    data: LabelledEvents, parts: Split, matrix: FloatArray, fitted: Fitted
) -> None:
    rows = parts.test.rows
    figures = quality(fitted.booster.predict(matrix[rows]), data.is_fraud[rows])
    assert 0.5 < figures["pr_auc"] < 0.95, "hard, but not hopeless"
    assert figures["roc_auc"] > 0.97


def test_golden_rows_reach_every_type_and_band(
    parts: Split, matrix: FloatArray, fitted: Fitted
) -> None:
    calibrator = SigmoidCalibrator(1.0, 0.0)
    policy = Policy.at(0.02, CostModel())
    later = matrix[parts.threshold.rows]
    score = calibrator(fitted.booster.predict(later, raw_score=True))
    rows = golden_rows(later, score, policy, PAYSIM_FEATURES.described)
    assert len(rows) <= 32
    assert set(rows[:, 0]) == set(later[:, 0])
    assert np.unique(rows, axis=0).shape == rows.shape
    model = FraudModel(fitted.booster, calibrator, policy, {})
    bands = {policy.risk_band(s) for s in model.explain_matrix(rows).scores}
    assert bands == {"low", "medium", "high"}


def test_golden_rows_of_one_row_are_that_row() -> None:
    row = np.zeros((1, len(FEATURE_NAMES)))
    assert (
        golden_rows(
            row, np.array([0.5]), Policy.at(0.1, CostModel()), PAYSIM_FEATURES.described
        ).shape
        == row.shape
    )


@pytest.mark.parametrize(
    "values",
    [
        np.arange(1000.0),
        np.repeat([0.0, 1.0], [990, 10]),
        np.repeat([0.0, 1.0], [10, 990]),
        np.zeros(50),
        np.repeat([0.0, 5.0, 9.0], [600, 300, 100]),
    ],
)
def test_proportions_are_those_of_the_bins(values: np.ndarray) -> None:
    described = binned(values, FEATURE_QUANTILES)
    edges, proportions = described["edges"], described["proportions"]
    assert len(proportions) == len(edges) + 1
    assert sum(proportions) == pytest.approx(1.0)
    assert edges == sorted(set(edges))
    assert all(p > 0 for p in proportions), "an empty bin would make drift infinite"
    below = np.mean(values < edges[0]) if edges else 1.0
    assert proportions[0] == pytest.approx(below)


def test_the_distribution_names_every_feature_and_the_score(
    parts: Split, matrix: FloatArray
) -> None:
    described = distribution(matrix[parts.fit.rows], np.linspace(0.001, 0.9, 500), FEATURE_NAMES)
    assert list(described["features"]) == list(FEATURE_NAMES)
    assert described["feature_rows"] == parts.fit.row_count
    assert described["score_rows"] == 500
