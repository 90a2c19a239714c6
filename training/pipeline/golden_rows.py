"""Choose the rows whose scores every copy of the model must repeat before it may serve."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from scoring.columns import FloatArray
from scoring.described_features import DescribedFeatures
from scoring.policy import Policy

ROWS_A_CODE = 4
MAX_CODES = 20
ROWS_A_BAND = 4


def golden_rows(
    matrix: FloatArray, score: FloatArray, policy: Policy, described: DescribedFeatures
) -> FloatArray:
    """Choose rows that reach every risk band, low to high, and every value of the first code.

    Args:
        matrix: features, float64 (n, number of features), n >= 1.
        score: calibrated scores, float64 (n,).
        policy: policy that defines the risk bands.
        described: features; the first one with words is the first code, such as PaySim's type.

    Returns:
        float64 (m, number of features), 1 <= m <= 92, each row of `matrix` at most once.
    """
    order = np.argsort(score, kind="stable")
    coded = [i for i, feature in enumerate(described.features) if feature.words]
    codes = matrix[order, coded[0]] if coded else np.zeros(len(order))
    known = np.unique(codes[~np.isnan(codes)])[:MAX_CODES]
    bounds = np.searchsorted(score[order], [policy.threshold, policy.high_from], side="left")
    groups = [_spread(order[codes == code], ROWS_A_CODE) for code in known]
    bands = [_spread(band, ROWS_A_BAND) for band in np.split(order, bounds)]
    return np.ascontiguousarray(matrix[np.unique(np.concatenate([*groups, *bands]))])


def _spread(rows: NDArray[np.intp], count: int) -> NDArray[np.intp]:
    """Return `count` of the rows, first and last among them, or all when there are fewer."""
    places = np.linspace(0, rows.size - 1, min(count, rows.size)).round().astype(np.intp)
    return rows[places]
