"""A trial of the search: cross-fitted thresholds, latency, and failures that do not end it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from registry.publish.tracking import Tracking
from scoring.evaluation.cost_curve import cost_curve
from scoring.features import PAYSIM_FEATURES
from scoring.policy import CostModel
from tests.support.factories import a_booster, a_model, feature_rows
from training.data.loading import from_table
from training.data.split import split
from training.errors import TrainingError
from training.pipeline.booster import OWN_EVENT_TYPE, OWN_WINDOWS, FitParameters
from training.search.latency import measure
from training.search.search import run_trial
from training.search.search_space import SPACE, parameters_at, point_of
from training.search.study import Counts, open_study
from training.search.trial import Material, cross_fitted, halves


def test_each_half_is_decided_by_the_threshold_of_the_other() -> None:
    rng = np.random.default_rng(0)
    step = np.repeat(np.arange(100.0), 40)
    score = rng.random(step.size)
    is_fraud = rng.random(step.size) < score**6
    amount = np.ones(step.size)
    costs = CostModel(50, 0, 5)
    reviewed = cross_fitted(score, amount, is_fraud, step, costs)
    early, late = halves(is_fraud, step)
    for known, decided in ((early, late), (late, early)):
        threshold = cost_curve(score[known], amount[known], is_fraud[known], costs).chosen
        assert np.array_equal(reviewed[decided], score[decided] >= threshold)
    assert early.stop == late.start
    assert step[early.stop - 1] < step[late.start], "no step in both"


def test_cross_fitted_savings_of_a_random_score_are_negative() -> None:
    """Chosen and judged on the same rows, a score that knows nothing would seem to save money."""
    costs = CostModel(100, 0, 5)
    fitted, honest = [], []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        step = np.arange(2000.0)
        is_fraud = np.zeros(2000, dtype=bool)
        is_fraud[rng.choice(2000, 40, replace=False)] = True
        score, amount = rng.random(2000), np.ones(2000)
        curve = cost_curve(score, amount, is_fraud, costs)
        reviewed = cross_fitted(score, amount, is_fraud, step, costs)
        fitted.append(curve.savings[curve.best])
        honest.append(costs.net_savings(amount, is_fraud, reviewed))
    assert np.mean(fitted) > 0
    assert np.mean(honest) < 0


@pytest.mark.parametrize("frauds_at", [[0, 0, 0, 5], [5, 9, 9, 9], [0, 9]])
def test_both_halves_hold_frauds(frauds_at: list[int]) -> None:
    step = np.repeat(np.arange(10.0), 4)
    is_fraud = np.zeros(40, dtype=bool)
    for place, hour in enumerate(frauds_at):
        is_fraud[hour * 4 + place % 4] = True
    early, late = halves(is_fraud, step)
    assert is_fraud[early].any()
    assert is_fraud[late].any()


def test_frauds_of_a_single_step_are_refused_in_a_sentence() -> None:
    step = np.repeat(np.arange(10.0), 4)
    is_fraud = step == 3
    with pytest.raises(TrainingError, match="all its frauds in one step"):
        halves(is_fraud, step)


@pytest.mark.parametrize("default", [FitParameters(), OWN_EVENT_TYPE, OWN_WINDOWS])
def test_the_default_lies_in_the_search_space(default: FitParameters) -> None:
    point = point_of(default)
    assert set(point) == set(SPACE)
    for name, distribution in SPACE.items():
        inside = distribution._contains(distribution.to_internal_repr(point[name]))
        assert inside, name
    assert parameters_at(point) == replace(default, trimmed=True)


def test_a_model_with_more_to_explain_takes_longer() -> None:
    small = a_model()
    large = replace(small, booster=a_booster(0, 300))
    small_latency, large_latency = measure([small, large], feature_rows(500))
    assert 0 < small_latency.batch_us < large_latency.batch_us
    assert small_latency.batch_us < small_latency.single_us, "a batch shares what a call costs"


def test_a_trial_that_fails_does_not_end_the_search(month: pa.Table, tmp_path: Path) -> None:
    data = from_table(month, "simulator")
    parts = split(data.step, data.is_fraud)
    good = Material(data, parts, data.matrix(PAYSIM_FEATURES), CostModel(), 1)
    broken = replace(good, matrix=good.matrix[: parts.fit.rows.stop])
    tracking = Tracking(f"sqlite:///{tmp_path / 'mlflow.db'}", tmp_path / "artifacts")
    with (
        open_study(tmp_path, "acme", {}, seed=1, default=FitParameters()) as study,
        tracking.run("fraud-acme", "tune", {}) as run,
    ):
        first = run_trial(study.start_trial(), run, broken)
        second = run_trial(study.start_trial(), run, good)
        assert study.counts == Counts(complete=1, pruned=0, failed=1)
    assert first.startswith("failed (")
    assert second.startswith("saves ")
    below = tracking.client.search_runs(
        [run.experiment_id], f"tags.mlflow.parentRunId = '{run.id}'", order_by=["start_time ASC"]
    )
    assert [trial.info.status for trial in below] == ["FAILED", "FINISHED"]
    assert "Error" in below[0].data.tags["reason"]


def test_a_search_resumes_its_run_unless_that_was_deleted(tmp_path: Path) -> None:
    tracking = Tracking(f"sqlite:///{tmp_path / 'mlflow.db'}", tmp_path / "artifacts")
    with tracking.run("fraud-acme", "tune", {}) as first:
        pass
    with tracking.run("fraud-acme", "tune", {}, resume_id=first.id) as second:
        assert second.id == first.id
    tracking.client.delete_run(first.id)
    with tracking.run("fraud-acme", "tune", {}, resume_id=first.id) as third:
        assert third.id != first.id
        third.end(first.id, "KILLED")
        third.log_later("0" * 32, {"net_savings": 1.0})
    assert tracking.client.get_run(first.id).info.status == "FINISHED"
