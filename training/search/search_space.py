"""Ranges of `FitParameters` that a search samples, as Optuna distributions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from training.pipeline.booster import FitParameters

SPACE_VERSION = 2
"""Version of the ranges; raise it on every change, so that a new search begins."""

SPACE: Mapping[str, BaseDistribution] = {
    "max_rounds": IntDistribution(32, 512, log=True),
    "num_leaves": IntDistribution(2, 31, log=True),
    "max_depth": IntDistribution(1, 12),
    "learning_rate": FloatDistribution(0.02, 0.3, log=True),
    "min_data_in_leaf": IntDistribution(10, 1000, log=True),
    "min_sum_hessian_in_leaf": FloatDistribution(0.1, 50.0, log=True),
    "min_gain_to_split": FloatDistribution(0.0, 20.0),
    "lambda_l2": FloatDistribution(0.1, 100.0, log=True),
    "feature_fraction": FloatDistribution(0.3, 1.0),
    "bagging_fraction": FloatDistribution(0.5, 1.0),
    "extra_trees": CategoricalDistribution((True, False)),
}


def point_of(parameters: FitParameters) -> dict[str, Any]:
    """Return parameters as a point of the space."""
    return {name: value for name, value in asdict(parameters).items() if name in SPACE}


def parameters_at(point: Mapping[str, Any]) -> FitParameters:
    """Return the parameters at a point, with `trimmed` set."""
    return FitParameters(**point, trimmed=True)
