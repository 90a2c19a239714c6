"""The series of drift are bounded, however many features a version has."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, cast

from observability.drift_metrics import MAX_FEATURES, DriftMetrics
from persistence.drift.checks import ModelDrift
from scoring.evaluation.drift import SCORE


def test_the_score_and_the_features_that_drift_most_have_a_series() -> None:
    metrics = DriftMetrics(cast("Any", None))
    psi = {f"f{i}": i / 1000 for i in range(200)} | {SCORE: 0.0}
    metrics._latest = {"fraud-demo": ModelDrift(datetime.now(UTC), 10, psi)}
    exported, *_ = metrics.collect()
    names = {sample.labels["feature"] for sample in exported.samples}
    assert names == {SCORE, *(f"f{i}" for i in range(200 - MAX_FEATURES, 200))}
