"""Exact contributions (SHAP values) of a tree ensemble, in log-odds, and its margins.

This is path-dependent TreeSHAP (Lundberg et al., "From local explanations to global understanding
with explainable AI for trees", Nature Machine Intelligence 2020) in two implementations. LightGBM's
`pred_contrib` equals `shap.TreeExplainer` to the last bit. The tables compiled from the booster's
trees (`scoring/explain/kernel.py`) are many times faster; `compile_trees` compares them with
LightGBM's results whenever a model is loaded.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import lightgbm as lgb
import numpy as np

from scoring.explain.compiler import build_forest
from scoring.explain.kernel import Forest, explain
from scoring.explain.lightgbm_text import FloatArray, Tree, UnsupportedTrees, read_trees

logger = logging.getLogger("sentinel.scoring")

TOLERANCE = 1e-9
"""Largest difference of a contribution or base value from LightGBM's, in log-odds."""
CHECKED_ROWS = 32


@dataclass(frozen=True, slots=True, eq=False)
class Explanation:
    """The margins of n rows, and the contributions that add up to them.

    Attributes:
        margins: log-odds, equal to LightGBM's to the last bit, float64 (n,).
        contributions: log-odds, float64 (n, f).
        base_value: log-odds; base value plus a row's contributions is the row's margin.
    """

    margins: FloatArray
    contributions: FloatArray
    base_value: float


def explain_with_lightgbm(booster: lgb.Booster, matrix: FloatArray) -> Explanation:
    """Explain rows with LightGBM.

    Args:
        booster: binary classifier.
        matrix: rows of features, float64 (n, f), n >= 1.
    """
    # One thread: with two a single row takes 17 ms instead of 0.1 (fork-join cost per call).
    contributions = np.asarray(booster.predict(matrix, pred_contrib=True, num_threads=1))
    return Explanation(
        margins=np.asarray(booster.predict(matrix, raw_score=True, num_threads=1)),
        contributions=np.ascontiguousarray(contributions[:, :-1]),
        base_value=float(contributions[0, -1]),
    )


@dataclass(frozen=True, slots=True, eq=False)
class CompiledTrees:
    """A booster's trees as tables; immutable, so any number of threads may explain at once.

    Attributes:
        forest: trees as flat arrays, with their tables.
        base_value: log-odds of the average training row.
    """

    forest: Forest
    base_value: float

    def explain(self, matrix: FloatArray) -> Explanation:
        """Explain rows with the tables.

        Args:
            matrix: rows of features, float64 (n, f), n >= 1, C-contiguous.

        Raises:
            ValueError: the matrix has another number of columns than the booster has features.
        """
        features = self.forest.features
        if matrix.shape[1] != features:
            raise ValueError(f"the matrix has {matrix.shape[1]} columns instead of {features}")
        out = self.forest.sums(len(matrix))
        explain(self.forest, matrix, out)
        return Explanation(out[:, features].copy(), out[:, :features].copy(), self.base_value)


def compile_trees(booster: lgb.Booster) -> CompiledTrees | None:
    """Compile a booster, and compare its results with LightGBM's on rows next to its thresholds.

    Args:
        booster: binary classifier.

    Returns:
        The compiled trees. None, with a warning in the log, if tables cannot represent the trees or
        the results differ; `explain_with_lightgbm` works for every booster.
    """
    try:
        trees = read_trees(booster.model_to_string())
        compiled = CompiledTrees(
            build_forest(trees, booster.num_feature()),
            float(sum(tree.expected_value for tree in trees)),
        )
    except UnsupportedTrees as error:
        logger.warning("LightGBM explains this model, which takes longer: %s", error)
        return None
    rows = _rows_at_splits(trees, booster.num_feature())
    expected, actual = explain_with_lightgbm(booster, rows), compiled.explain(rows)
    deviation = max(
        float(np.abs(expected.contributions - actual.contributions).max()),
        abs(expected.base_value - actual.base_value),
    )
    if not deviation <= TOLERANCE or not np.array_equal(expected.margins, actual.margins):
        logger.warning(
            "LightGBM explains this model, because the compiled trees are off by %.3g", deviation
        )
        return None
    return compiled


def _rows_at_splits(trees: Sequence[Tree], features: int) -> FloatArray:
    """Return rows whose values are thresholds, the next float above, categories, zeros or NaN."""
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(CHECKED_ROWS, features))
    feature = np.concatenate([tree.feature for tree in trees])
    threshold = np.concatenate([tree.threshold for tree in trees])
    is_categorical = np.concatenate([tree.is_categorical for tree in trees])
    categories = 32 * np.concatenate([np.diff(tree.word_start) for tree in trees])
    for column in np.unique(feature):
        of_column = feature == column
        if is_categorical[of_column].any():
            rows[:, column] = rng.integers(-1, categories[of_column].max() + 1, CHECKED_ROWS)
            continue
        at = rng.choice(threshold[of_column], CHECKED_ROWS)
        rows[:, column] = np.where(rng.random(CHECKED_ROWS) < 0.5, at, np.nextafter(at, np.inf))
    rows[rng.random(rows.shape) < 0.05] = np.nan
    rows[rng.random(rows.shape) < 0.05] = 0.0
    return rows
