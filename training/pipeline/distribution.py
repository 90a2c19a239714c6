"""Describe the distribution of features and scores in training, the reference for drift."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from scoring.columns import FloatArray

FEATURE_QUANTILES = tuple(np.linspace(0.1, 0.9, 9))
SCORE_QUANTILES = (*FEATURE_QUANTILES, 0.95, 0.99, 0.999)
"""Finer at the top, where the thresholds lie."""


def binned(values: FloatArray, quantiles: tuple[float, ...]) -> dict[str, Any]:
    """Describe values by bins between their quantiles; missing ones are left out.

    Returns:
        `edges` e_1 < ... < e_k and `proportions` p_0 ... p_k, which sum to 1: p_0 is the share of
        values below e_1, p_i of those in [e_i, e_i+1), p_k of those from e_k on.
        `numpy.searchsorted(edges, value, "right")` is a value's bin.
    """
    values = values[~np.isnan(values)]
    if not values.size:
        return {"edges": [], "proportions": [1.0]}
    edges = np.unique(np.quantile(values, quantiles, method="higher"))
    edges = edges[edges > values.min()]
    if not edges.size and values.max() > values.min():
        # Nearly all values are the smallest (a rare flag): one edge separates the others.
        edges = np.array([values[values > values.min()].min()])
    counts = np.bincount(np.searchsorted(edges, values, side="right"), minlength=edges.size + 1)
    return {"edges": edges.tolist(), "proportions": (counts / values.size).tolist()}


def distribution(
    fit_matrix: FloatArray, later_scores: FloatArray, names: Sequence[str]
) -> dict[str, Any]:
    """Describe the features of the fit part and the scores of a later part.

    Args:
        fit_matrix: features of the fit part, float64 (n, number of features).
        later_scores: calibrated scores of the threshold part, float64 (m,).
        names: names of the features.

    Returns:
        {"features": {name: binned}, "score": binned, "feature_rows": n, "score_rows": m}.
    """
    return {
        "features": {
            name: binned(fit_matrix[:, index], FEATURE_QUANTILES)
            for index, name in enumerate(names)
        },
        "score": binned(later_scores, SCORE_QUANTILES),
        "feature_rows": int(fit_matrix.shape[0]),
        "score_rows": int(later_scores.shape[0]),
    }
