"""A model with its training distribution, and stored decisions with and without drift."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import numpy as np
from sqlalchemy import Engine

from persistence.decisions.rows import Decided
from persistence.decisions.writer import DecisionLog
from persistence.drift.bin_counts import Window
from scoring.columns import FloatArray
from scoring.evaluation.drift import Binned, training_distribution
from scoring.features import FEATURE_NAMES
from scoring.model.fraud_model import FraudModel
from scoring.prediction import ModelVersion
from tests.support.factories import a_decision, a_model, a_prediction, decision_at, feature_rows
from training.pipeline.distribution import distribution

TRAINING_ROWS = 20_000


def some_scores(count: int, seed: int = 0) -> FloatArray:
    """Scores of which most are low, float64 (count,)."""
    return np.random.default_rng(seed).beta(0.3, 6, count)


@cache
def training_numbers() -> dict[str, Any]:
    """The distribution that training writes into `features.json`."""
    return distribution(feature_rows(TRAINING_ROWS), some_scores(TRAINING_ROWS), FEATURE_NAMES)


def trained() -> dict[str, Binned]:
    """The same distribution as the service reads it."""
    return training_distribution(training_numbers())


def a_model_with_distribution(**changes: Any) -> FraudModel:
    """A small, whole model that carries its training distribution."""
    return replace(a_model(**changes), distribution=training_numbers())


def payments(count: int, **factors: float) -> FloatArray:
    """Features like those of training, float64 (count, features); named ones are multiplied."""
    matrix = feature_rows(count, seed=2)
    for name, factor in factors.items():
        matrix[:, FEATURE_NAMES.index(name)] *= factor
    return matrix


def last_day() -> Window:
    """The 24 hours until now."""
    now = datetime.now(UTC)
    return Window(now - timedelta(hours=24), now)


def decide(
    engine: Engine,
    tenant_id: int,
    version: ModelVersion,
    features: FloatArray,
    scores: FloatArray | None = None,
    moment: datetime | None = None,
) -> list[Decided]:
    """Store a decision for each row of features, made at `moment` (default: an hour ago)."""
    moment = moment or datetime.now(UTC) - timedelta(hours=1)
    scores = some_scores(len(features), seed=1) if scores is None else scores
    made = [
        decision_at(a_decision(tenant_id), moment)._replace(
            prediction=a_prediction(score=score, features=row, model=version),
        )
        for row, score in zip(features.tolist(), scores.tolist(), strict=True)
    ]
    for start in range(0, len(made), 1000):
        batch = made[start : start + 1000]
        assert DecisionLog(engine).write(batch) == batch
    return made
