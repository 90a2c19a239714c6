"""Models of tenants' own event types, for tests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import lightgbm as lgb
import numpy as np

from scoring.columns import FloatArray
from scoring.event_type.fields import EventType
from scoring.feature_set.definition import FeatureDefinition
from scoring.feature_set.feature_set import FeatureSet
from scoring.feature_set.model_features import ModelFeatures
from scoring.model.calibration import SigmoidCalibrator
from scoring.model.fraud_model import FraudModel
from scoring.policy import CostModel, Policy
from scoring.prediction import ModelVersion
from tests.support.event_types import an_event_type

STATELESS = {"amount": "TX_AMOUNT", "hour": "hour(TX_DATETIME)", "channel": "code(CHANNEL)"}
WITH_WINDOWS = STATELESS | {
    "events_1d": "count(by=CUSTOMER_ID, window='1d')",
    "amount_over_mean": "TX_AMOUNT / mean(TX_AMOUNT, by=CUSTOMER_ID, window='30d')",
    "terminal_risk": "fraud_rate(by=TERMINAL_ID, window='28d', delay='7d')",
}
"""Expressions by feature name, for the event type of `an_event_type`."""


def features_of(
    expressions: Mapping[str, str],
    event_type: EventType | None = None,
    categories: Mapping[str, tuple[str, ...]] | None = None,
) -> ModelFeatures:
    """Return features of an event type, or of card payments."""
    definitions = tuple(FeatureDefinition(*pair) for pair in expressions.items())
    return ModelFeatures(event_type or an_event_type(), FeatureSet(definitions, categories or {}))


def golden_rows(features: ModelFeatures, count: int = 8, seed: int = 0) -> FloatArray:
    """Return random inputs of a model, a fifth of them missing, float64 (count, features)."""
    rng = np.random.default_rng(seed)
    matrix = rng.integers(0, 4, (count, len(features.names))) * 25.0
    return np.where(rng.random(matrix.shape) < 0.2, np.nan, matrix)


def a_model_of(
    features: ModelFeatures, seed: int = 0, version: ModelVersion | None = None, **more: Any
) -> FraudModel:
    """Return a small, whole model whose score depends on each of its features."""
    matrix = golden_rows(features, 2000, seed)
    rng = np.random.default_rng(seed + 1)
    weights = rng.normal(size=len(features.names))
    odds = np.nan_to_num(matrix, nan=150.0) @ weights / 50
    labels = rng.random(len(matrix)) < 1 / (1 + np.exp(-(odds - odds.mean())))
    names = list(features.names)
    data = lgb.Dataset(
        matrix, labels, feature_name=names, categorical_feature=list(features.categorical)
    )
    settings = {"objective": "binary", "num_leaves": 15, "verbose": -1, "num_threads": 1}
    booster = lgb.train(settings | {"seed": seed}, data, 12)
    policy = Policy.at(0.05, CostModel())
    return FraudModel(
        booster, SigmoidCalibrator(0.9, -0.1), policy, {}, version, features=features, **more
    )
