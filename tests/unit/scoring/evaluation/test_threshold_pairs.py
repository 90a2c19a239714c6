"""Both thresholds: any pair's figures and the best pair are those of a loop over all of them."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scoring.evaluation.cost_curve import cost_curve
from scoring.evaluation.threshold_pairs import NEVER, PairOutcome, ThresholdPairs, threshold_pairs
from scoring.evaluation.weights import scaled
from scoring.policy import CostModel
from tests.support.backtest.decisions import cost_models
from tests.support.data.explored import explored

SCORES = [0.01, 0.1, 0.3, 0.5, 0.9]
DAYS = 4.0

Rows = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


@st.composite
def transactions(draw: st.DrawFn) -> Rows:
    """Return scores, amounts, labels and weights."""
    rows = draw(
        st.lists(
            st.tuples(
                st.sampled_from(SCORES),
                st.sampled_from([float("nan"), 0.0, 20.0, 1234.5]),
                st.booleans(),
                st.sampled_from([1.0, 1.0, 0.0, 10.0, 20.0]),
            ),
            min_size=1,
            max_size=30,
        )
    )
    score, amount, is_fraud, weights = (np.array(column) for column in zip(*rows, strict=True))
    return score, amount, is_fraud, weights


def naive(rows: Rows, costs: CostModel, review: float, decline: float) -> dict[str, float]:
    score, amount, is_fraud, weights = rows
    found = dict.fromkeys(
        ("savings", "reviews_a_day", "declines_a_day", "caught", "false_alarms", "false_declines",
         "missed"), 0.0,
    )  # fmt: skip
    for row, count in enumerate(scaled(weights).tolist()):
        declined = score[row] >= decline
        if score[row] < review:
            found["missed"] += count * bool(is_fraud[row])
            continue
        found["declines_a_day" if declined else "reviews_a_day"] += count / DAYS
        if is_fraud[row]:
            found["caught"] += count
            found["savings"] += count * costs.missed_costs(amount[[row]])[0]
        else:
            found["false_declines" if declined else "false_alarms"] += count
            found["savings"] -= count * (costs.declined_honest if declined else costs.false_alarm)
    return found


def pairs_of(rows: Rows, costs: CostModel) -> ThresholdPairs:
    score, amount, is_fraud, weights = rows
    return threshold_pairs(score, amount, is_fraud, costs, weights, days=DAYS)


THRESHOLDS = [0.005, *SCORES, 0.2, 0.95]


@settings(deadline=None, max_examples=200)
@given(
    transactions(), cost_models, st.sampled_from(THRESHOLDS), st.sampled_from([*THRESHOLDS, None])
)
def test_the_results_of_two_thresholds_are_those_of_a_loop(
    rows: Rows, costs: CostModel, review: float, decline: float | None
) -> None:
    pairs = pairs_of(rows, costs)
    if decline is not None and decline < review:
        with pytest.raises(ValueError, match="at least the review threshold"):
            pairs.at(review, decline)
        return
    outcome = pairs.at(review, decline)
    for name, value in naive(rows, costs, review, NEVER if decline is None else decline).items():
        tolerance = 0.51 if isinstance(getattr(outcome, name), int) else 1e-6
        assert getattr(outcome, name) == pytest.approx(value, abs=tolerance), name


@settings(deadline=None, max_examples=100)
@given(transactions(), cost_models)
def test_a_grid_has_the_results_of_each_pair(rows: Rows, costs: CostModel) -> None:
    pairs = pairs_of(rows, costs)
    review, decline = np.array(THRESHOLDS), np.array([*THRESHOLDS, NEVER])
    grid = pairs.grid(review, decline)
    for row, low in enumerate(review.tolist()):
        for column, high in enumerate(decline.tolist()):
            found = (
                grid.savings[row, column],
                grid.reviews_a_day[row, column],
                grid.declines_a_day[row, column],
            )
            if high < low:
                assert np.isnan(found).all()
                continue
            one = pairs.at(low, None if high == NEVER else high)
            assert found == (one.savings, one.reviews_a_day, one.declines_a_day)


def all_pairs(pairs: ThresholdPairs) -> list[PairOutcome]:
    """Return the outcomes of every pair of scores, and of a policy that stops nothing."""
    scores = pairs.thresholds.tolist()
    found = [pairs.at(0.99)]
    for low in scores:
        found += [pairs.at(low), *(pairs.at(low, high) for high in scores if high >= low)]
    return found


limits = st.none() | st.sampled_from([0.0, 0.25, 0.5, 1.0, 2.0, 5.0])


@settings(deadline=None, max_examples=300)
@given(transactions(), cost_models, limits, limits)
def test_the_best_pair_saves_the_most_of_all_pairs_within_the_limits(
    rows: Rows, costs: CostModel, max_alerts: float | None, max_declines: float | None
) -> None:
    pairs = pairs_of(rows, costs)
    best = pairs.best(max_alerts, max_declines)

    def allowed(one: PairOutcome) -> bool:
        return (max_alerts is None or one.reviews_a_day <= max_alerts + 1e-6) and (
            max_declines is None or one.declines_a_day <= max_declines + 1e-6
        )

    assert allowed(best)
    most = max(one.savings for one in all_pairs(pairs) if allowed(one))
    assert best.savings == pytest.approx(most, abs=1e-6)
    assert 0 < best.review < 1
    assert best.decline is None or best.review <= best.decline < 1


def test_without_a_limit_a_costlier_decline_is_never_the_best() -> None:
    rows = explored()
    pairs = threshold_pairs(
        rows.score, rows.amount, rows.is_fraud, CostModel(0, 1, 5, 6), rows.weights, days=30
    )
    assert pairs.best().decline is None
    limited = pairs.best(max_alerts=5)
    assert limited.decline is not None
    assert limited.reviews_a_day <= 5
    assert limited.savings < pairs.best().savings


def test_a_cheaper_decline_takes_the_place_of_every_review() -> None:
    rows = explored()
    costs = CostModel(0, 1, 5, 2)
    best = threshold_pairs(rows.score, rows.amount, rows.is_fraud, costs, days=30).best()
    assert best.decline == best.review
    assert best.reviews_a_day == 0


def test_without_declines_the_results_are_those_of_the_cost_curve() -> None:
    rows, costs = explored(), CostModel(50.0, 0.5, 5.0)
    given_rows = (rows.score, rows.amount, rows.is_fraud, costs, rows.weights)
    pairs, curve = threshold_pairs(*given_rows, days=1), cost_curve(*given_rows)
    for threshold in (0.001, 0.1, 0.3, 0.9, 0.999):
        one, other = pairs.at(threshold), curve.at(threshold)
        assert one.savings == pytest.approx(other.savings)
        assert one.reviews_a_day == pytest.approx(other.flagged, abs=0.51)
        assert (one.caught, one.missed) == (other.caught, other.missed)
    assert pairs.best().review == curve.thresholds[curve.best]


@pytest.mark.parametrize("is_fraud", [False, True])
def test_transactions_of_one_class_have_a_best_pair(is_fraud: bool) -> None:
    score = np.array([0.2, 0.4, 0.4])
    pairs = threshold_pairs(score, np.ones(3), np.full(3, is_fraud), CostModel(), days=1)
    best = pairs.best()
    if is_fraud:
        assert (best.review, best.decline, best.savings) == (0.2, None, 3000)
    else:
        assert (best.review, best.savings, best.reviews_a_day) == (0.7, 0, 0)


def test_no_transactions_and_no_days_are_refused() -> None:
    nothing = np.zeros(0)
    with pytest.raises(ValueError, match="at least one transaction"):
        threshold_pairs(nothing, nothing, nothing.astype(bool), CostModel(), days=1)
    one = np.array([0.5])
    with pytest.raises(ValueError, match="days must be > 0"):
        threshold_pairs(one, one, one > 0, CostModel(), days=0)


def test_the_best_of_all_pairs_of_200_000_scores_takes_less_than_a_second() -> None:
    rng = np.random.default_rng(0)
    score = rng.random(200_000)
    is_fraud = rng.random(200_000) < score**8
    started = time.process_time()
    pairs = threshold_pairs(score, score, is_fraud, CostModel(100, 0, 5, 40), days=30)
    pairs.best(max_alerts=20, max_declines=5)
    assert time.process_time() - started < 1, "about 0.05 s, with a margin for a busy machine"
