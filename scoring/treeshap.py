"""Exact contributions (SHAP values) of a tree ensemble, in log-odds."""

from __future__ import annotations

import lightgbm as lgb
import numpy as np

from scoring.features import FloatArray


def contributions(booster: lgb.Booster, matrix: FloatArray) -> tuple[FloatArray, float]:
    """Explain every row exactly.

    LightGBM's own path-dependent TreeSHAP (Lundberg et al., "From local explanations to global
    understanding with explainable AI for trees", Nature Machine Intelligence 2020, algorithm 2);
    equal to `shap.TreeExplainer` to the last bit.

    Args:
        booster: a binary classifier.
        matrix: float64 (n, f), n >= 1.

    Returns:
        float64 (n, f) of contributions, and the base value: base value plus a row's contributions
        is that row's margin.
    """
    # One thread: two made a single row 17 ms instead of 0.1 (fork-join cost per call).
    explained = np.asarray(booster.predict(matrix, pred_contrib=True, num_threads=1))
    return np.ascontiguousarray(explained[:, :-1]), float(explained[0, -1])
