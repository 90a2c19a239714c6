"""Choose the rows whose scores every copy of the model must repeat before it may serve."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from scoring.columns import FloatArray
from scoring.features import FEATURE_NAMES
from scoring.policy import Policy

ROWS_A_TYPE = 4
ROWS_A_BAND = 4


def golden_rows(matrix: FloatArray, score: FloatArray, policy: Policy) -> FloatArray:
    """Choose rows that reach every transaction type and every risk band, low to high.

    Args:
        matrix: features, float64 (n, len(FEATURES)), n >= 1.
        score: calibrated scores, float64 (n,).
        policy: policy that defines the risk bands.

    Returns:
        float64 (m, len(FEATURES)), 1 <= m <= 32, each row of `matrix` at most once.
    """
    order = np.argsort(score, kind="stable")
    ordered_type = matrix[order, FEATURE_NAMES.index("type")]
    bounds = np.searchsorted(score[order], [policy.threshold, policy.high_from], side="left")
    types = [_spread(order[ordered_type == code], ROWS_A_TYPE) for code in np.unique(ordered_type)]
    bands = [_spread(band, ROWS_A_BAND) for band in np.split(order, bounds)]
    return np.ascontiguousarray(matrix[np.unique(np.concatenate([*types, *bands]))])


def _spread(rows: NDArray[np.intp], count: int) -> NDArray[np.intp]:
    """Return `count` of the rows, first and last among them, or all when there are fewer."""
    places = np.linspace(0, rows.size - 1, min(count, rows.size)).round().astype(np.intp)
    return rows[places]
