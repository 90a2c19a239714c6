"""Each figure's interval equals a bootstrap over rows."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from scoring.evaluation.probability_metrics import expected_calibration_error
from scoring.policy import CostModel, Policy
from training.pipeline.intervals import intervals

POLICY = Policy.at(0.05, CostModel(100.0, 0.5, 5.0))
Sample = tuple[np.ndarray, np.ndarray, np.ndarray]


def sample(rows: int = 3000, seed: int = 0, decimals: int = 15) -> Sample:
    """Calibrated scores, amounts and labels; few decimals make ties."""
    rng = np.random.default_rng(seed)
    score = np.clip(rng.beta(0.1, 4, rows), 1e-6, 1 - 1e-6)
    is_fraud = rng.random(rows) < score
    return np.clip(score.round(decimals), 1e-6, 1 - 1e-6), rng.lognormal(5, 1, rows), is_fraud


FIGURES: dict[str, Callable[..., float]] = {
    "pr_auc": lambda s, _, y: average_precision_score(y, s),
    "ece": lambda s, _, y: expected_calibration_error(s, y),
    "precision": lambda s, _, y: y[s >= 0.05].mean(),
    "recall": lambda s, _, y: (s[y] >= 0.05).mean(),
    "net_savings": lambda s, a, y: POLICY.cost_model.net_savings(a, y, s >= 0.05),
    "net_savings_share": lambda s, a, y: (
        POLICY.cost_model.net_savings(a, y, s >= 0.05) / POLICY.cost_model.perfect_savings(a, y)
    ),
}


@pytest.mark.parametrize("decimals", [15, 2])
def test_the_values_are_those_of_the_rows_as_they_are(decimals: int) -> None:
    rows = sample(decimals=decimals)
    result = intervals(*rows, POLICY, resamples=10)
    assert set(result) == set(FIGURES)
    for name, figure in FIGURES.items():
        assert result[name].value == pytest.approx(figure(*rows), rel=1e-9, abs=1e-12), name


@pytest.mark.parametrize("decimals", [15, 2])
def test_the_ends_are_those_of_drawing_row_by_row(decimals: int) -> None:
    rows = sample(decimals=decimals)
    result = intervals(*rows, POLICY)
    rng = np.random.default_rng(1)
    again = []
    for _ in range(200):
        drawn = rng.integers(0, rows[0].size, rows[0].size)
        again.append([figure(*(values[drawn] for values in rows)) for figure in FIGURES.values()])
    low, high = np.quantile(again, (0.025, 0.975), axis=0)
    for index, name in enumerate(FIGURES):
        width = high[index] - low[index]
        assert result[name].low == pytest.approx(low[index], abs=0.15 * width), name
        assert result[name].high == pytest.approx(high[index], abs=0.15 * width), name


def test_nearly_all_intervals_hold_the_truth() -> None:
    truth = np.mean([intervals(*sample(40_000, s), POLICY, resamples=1)["recall"].value
                     for s in range(200, 210)])  # fmt: skip
    holds = 0
    for seed in range(60):
        interval = intervals(*sample(1500, seed), POLICY, resamples=100)["recall"]
        holds += interval.low <= truth <= interval.high
    assert 52 <= holds <= 60


def test_the_same_seed_gives_the_same_interval() -> None:
    rows = sample()
    assert intervals(*rows, POLICY) == intervals(*rows, POLICY)
    assert intervals(*rows, POLICY) != intervals(*rows, POLICY, seed=1)


def test_a_single_fraud_still_has_intervals() -> None:
    score = np.linspace(0.01, 0.9, 50)
    result = intervals(score, np.ones(50), np.arange(50) == 40, POLICY)
    assert result["recall"].low == 0.0
    assert result["recall"].high == 1.0
    assert all(np.isfinite([i.value, i.low, i.high]).all() for i in result.values())
