"""The points of the tuner's curve, and the notes where there is none."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from api.models.pair_tuning import tune_pairs
from api.models.threshold_tuning import MAX_POINTS, Tuning, tune
from persistence.labels.reader import MaturedDecisions
from scoring.policy import CostModel, Thresholds
from scoring.prediction import ModelVersion

COSTS = CostModel()


def matured(scores: Any, frauds: Any = ()) -> MaturedDecisions:
    score = np.asarray(scores, dtype=np.float64)
    is_fraud = np.isin(np.arange(score.size), frauds)
    return MaturedDecisions(
        score=score,
        threshold=np.full(score.size, 0.05),
        amount=np.full(score.size, 100.0),
        is_fraud=is_fraud,
        labelled=is_fraud,
        decided_at=np.zeros(score.size),
        model=np.zeros(score.size, dtype=np.int64),
        models=(ModelVersion("fraud-demo", 1),),
        weights=np.ones(score.size),
        truncated=False,
    )


def tuned(scores: Any, frauds: Any, costs: CostModel = COSTS, threshold: float = 0.05) -> Tuning:
    result = tune(matured(scores, frauds), costs, threshold)
    assert isinstance(result, Tuning)
    return result


def test_pairs_cover_both_thresholds_within_their_limits() -> None:
    history = matured([0.9, 0.8, 0.7, 0.2, 0.1], frauds=[0, 2])
    costs = CostModel(100.0, 0.0, 5.0, 30.0)
    free = tune_pairs(history, costs, Thresholds(0.15, 0.85), 2.0, None, None)
    assert free
    assert (free.current.reviews_a_day, free.current.declines_a_day) == (1.5, 0.5)
    assert (free.current.caught, free.current.false_alarms, free.current.savings) == (2, 2, 190.0)
    assert (free.best.review, free.best.decline, free.best.savings) == (0.7, None, 195.0)
    limited = tune_pairs(history, costs, Thresholds(0.15), 2.0, 0.5, 1.0)
    assert limited
    assert (limited.best.review, limited.best.decline) == (0.7, 0.8)
    assert limited.best.savings == 170.0
    assert {(one.review, one.decline) for one in limited.grid} >= {(0.1, None), (0.7, 0.9)}
    assert tune_pairs(matured([0.5]), costs, Thresholds(0.5), 1.0, None, None) is None


@pytest.mark.parametrize("count", [1, 2, 50, MAX_POINTS - 3, MAX_POINTS, 500, 20_000])
@pytest.mark.parametrize("threshold", [1e-300, 0.25, 0.4321, 1 - 1e-9])
def test_the_curves_points_are_limited_in_order_and_hold_the_named_ones(
    count: int, threshold: float
) -> None:
    tuning = tuned(np.linspace(0.001, 0.9, count), [count // 2, count - 1], threshold=threshold)
    thresholds = [point.threshold for point in tuning.curve]
    assert thresholds == sorted(set(thresholds))
    assert len(thresholds) <= MAX_POINTS
    assert len(thresholds) >= min(count, 100)
    for point in (tuning.current, tuning.best, tuning.suggested):
        assert point in tuning.curve
    assert tuning.current.threshold == threshold
    assert tuning.curve[0].flagged == count


def test_a_curve_that_fits_is_whole() -> None:
    scores = np.linspace(0.001, 0.9, MAX_POINTS - 3)
    assert set(scores) <= {point.threshold for point in tuned(scores, [7]).curve}


def test_a_threshold_above_every_score_flags_nothing_and_saves_nothing() -> None:
    current = tuned([0.1, 0.2], [1], threshold=0.5).current
    assert (current.flagged, current.caught, current.savings) == (0, 0, 0.0)


def test_a_curve_without_savings_has_a_note() -> None:
    assert tuned([0.1, 0.2, 0.3], [0]).note is None
    note = tuned([0.1, 0.2, 0.3], [0], CostModel(1, 0, 50)).note
    assert note is not None
    assert "no threshold would have saved anything" in note


@pytest.mark.parametrize(("scores", "reason"), [([], "No decision"), ([0.1, 0.9], "None of the 2")])
def test_without_decisions_or_frauds_the_result_is_a_sentence(
    scores: list[float], reason: str
) -> None:
    tuning = tune(matured(scores), COSTS, 0.05)
    assert isinstance(tuning, str)
    assert tuning.startswith(reason)
