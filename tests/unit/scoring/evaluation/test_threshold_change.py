"""What a change of thresholds would have changed."""

from __future__ import annotations

import numpy as np
import pytest

from scoring.evaluation.threshold_change import ThresholdFigures, threshold_change
from scoring.evaluation.threshold_pairs import threshold_pairs
from scoring.policy import CostModel, Thresholds

COSTS = CostModel(100.0, 0.5, 5.0, 30.0)
RNG = np.random.default_rng(3)
SCORE = RNG.beta(0.3, 3, 2000)
AMOUNT = RNG.lognormal(4, 1, 2000).round(2)
IS_FRAUD = RNG.random(2000) < SCORE
WEIGHTS = {
    "one each": np.ones(2000),
    "some stand for others": RNG.choice([0.0, 1.0, 20.0], 2000, p=[0.1, 0.85, 0.05]),
}
BEFORE, AFTER = Thresholds(0.3), Thresholds(0.1, 0.7)


@pytest.mark.parametrize("weights", WEIGHTS.values(), ids=WEIGHTS)
def test_both_sides_have_the_figures_of_their_pair(weights: np.ndarray) -> None:
    change = threshold_change(SCORE, AMOUNT, IS_FRAUD, COSTS, BEFORE, AFTER, weights, resamples=50)
    known = IS_FRAUD & (weights > 0)
    pairs = threshold_pairs(SCORE, AMOUNT, known, COSTS, weights, days=1.0)
    for thresholds, found in ((BEFORE, change.before), (AFTER, change.after)):
        wanted = pairs.at(thresholds.review, thresholds.decline)
        assert found.savings.value == pytest.approx(wanted.savings)
        assert found.reviews.value == pytest.approx(wanted.reviews_a_day)
        assert found.declines.value == pytest.approx(wanted.declines_a_day)
        assert round(found.caught.value) == wanted.caught
        assert round(found.missed.value) == wanted.missed
        assert round(found.false_alarms.value) == wanted.false_alarms
        assert round(found.false_declines.value) == wanted.false_declines
    assert change.frauds == np.count_nonzero(known)


def test_the_difference_is_paired_and_0_without_a_change() -> None:
    def change(after: Thresholds) -> tuple[ThresholdFigures, ...]:
        found = threshold_change(
            SCORE, AMOUNT, IS_FRAUD, COSTS, BEFORE, after, np.ones(2000), resamples=300
        )
        return found.before, found.after, found.difference

    _, _, none = change(BEFORE)
    assert (none.savings.low, none.savings.value, none.savings.high) == (0.0, 0.0, 0.0)
    before, after, difference = change(Thresholds(0.31))
    assert difference.savings.value == pytest.approx(after.savings.value - before.savings.value)
    assert difference.savings.low <= difference.savings.value <= difference.savings.high
    length = difference.savings.high - difference.savings.low
    assert length < (before.savings.high - before.savings.low) / 2


def test_few_frauds_have_no_intervals() -> None:
    few = np.arange(2000) < 19
    change = threshold_change(SCORE, AMOUNT, few, COSTS, BEFORE, AFTER, np.ones(2000), resamples=20)
    assert (change.frauds, change.has_intervals) == (19, False)
