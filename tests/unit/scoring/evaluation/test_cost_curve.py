from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scoring.evaluation.cost_curve import Outcome, cost_curve
from scoring.policy import CostModel

FLAT = CostModel()


def scored(rows: int = 20_000, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return perfectly calibrated scores, amounts and labels."""
    rng = np.random.default_rng(seed)
    score = np.clip(rng.beta(0.05, 5, rows), 1e-6, 1 - 1e-6)
    return score, rng.lognormal(8, 1, rows), rng.random(rows) < score


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from([0.01, 0.1, 0.3, 0.9]), st.floats(1, 1e4), st.booleans()),
        min_size=1,
        max_size=40,
    )
)
def test_the_savings_at_every_score_are_those_of_the_cost_model(
    rows: list[tuple[float, float, bool]],
) -> None:
    score, amount, is_fraud = (np.array(column) for column in zip(*rows, strict=True))
    is_fraud[0] = True
    costs = CostModel(100, 0.5, 5)
    curve = cost_curve(score, amount, is_fraud, costs)
    assert curve.thresholds.tolist() == sorted(set(score.tolist()), reverse=True)
    for index, threshold in enumerate(curve.thresholds):
        flagged = score >= threshold
        assert curve.savings[index] == pytest.approx(costs.net_savings(amount, is_fraud, flagged))
        assert curve.flagged[index] == flagged.sum()
        assert curve.caught[index] == (flagged & is_fraud).sum()


@pytest.mark.parametrize("costs", [FLAT, CostModel(0, 1, 5), CostModel(50, 0, 20)])
def test_the_chosen_threshold_is_within_one_average_fraud_of_the_maximum(costs: CostModel) -> None:
    score, amount, is_fraud = scored()
    curve = cost_curve(score, amount, is_fraud, costs)
    chosen = costs.net_savings(amount, is_fraud, score >= curve.chosen)
    assert curve.chosen_savings == pytest.approx(chosen)
    assert curve.lowest <= curve.chosen <= curve.highest
    assert chosen >= curve.savings.max() - costs.missed_costs(amount)[is_fraud].mean()


def test_costlier_false_alarms_raise_the_threshold() -> None:
    score, amount, is_fraud = scored()
    chosen = [
        cost_curve(score, amount, is_fraud, CostModel(1000, 0, alarm)).chosen
        for alarm in (1, 50, 400)
    ]
    assert chosen == sorted(chosen)
    assert chosen[0] < chosen[2] / 5


def test_the_threshold_for_well_separated_classes_is_below_every_fraud() -> None:
    score = np.concatenate([np.linspace(1e-6, 1e-4, 9_900), np.linspace(0.9, 0.99, 100)])
    is_fraud = score > 0.5
    curve = cost_curve(score, np.full(score.size, 100.0), is_fraud, FLAT)
    assert 1e-4 < curve.chosen < 0.9
    assert curve.chosen == pytest.approx(0.01), "the average fraud rate: the safe end of the gap"
    assert curve.chosen_savings == curve.perfect


def test_costly_frauds_do_not_lead_to_a_review_of_every_transaction() -> None:
    score = np.concatenate([np.linspace(1e-6, 1e-4, 9_900), np.linspace(0.9, 0.99, 100)])
    is_fraud = score > 0.5
    curve = cost_curve(score, np.full(score.size, 1e9), is_fraud, CostModel(0, 1, 5))
    assert (score >= curve.chosen).sum() == is_fraud.sum()


def test_equal_scores_give_a_threshold() -> None:
    score = np.full(100, 0.05)
    is_fraud = np.arange(100) < 5
    curve = cost_curve(score, np.full(100, 10.0), is_fraud, FLAT)
    assert 0 < curve.chosen <= 0.05


def test_the_curve_gives_the_results_of_any_threshold() -> None:
    score, amount, is_fraud = scored(2_000)
    curve = cost_curve(score, amount, is_fraud, FLAT)
    for threshold in (1e-9, 0.004, 0.05, float(score.max())):
        flagged = score >= threshold
        outcome = curve.at(threshold)
        assert outcome.savings == pytest.approx(FLAT.net_savings(amount, is_fraud, flagged))
        assert (outcome.flagged, outcome.caught) == (flagged.sum(), (flagged & is_fraud).sum())
        assert outcome.missed == (~flagged & is_fraud).sum()
    above = (1 + float(score.max())) / 2
    assert curve.at(above) == Outcome(above, 0.0, 0, 0, is_fraud.sum()), "nothing is reviewed"


def test_transactions_without_a_fraud_are_refused() -> None:
    with pytest.raises(ValueError, match="needs at least one fraud"):
        cost_curve(np.array([0.1, 0.2]), np.ones(2), np.zeros(2, dtype=bool), FLAT)
